//go:build !linux

package service

// setSchedPolicy does nothing: the policies are Linux's.
func setSchedPolicy(string) error { return nil }
