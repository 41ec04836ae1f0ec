//go:build !linux

package service

import "time"

// putInForce does nothing: policies and timer slacks are Linux's.
func putInForce(string, time.Duration) error { return nil }
