package rpc

// For the tests that use this package from outside.
var (
	NewProxy   = newProxy
	ErrBlocked = errBlocked
	ErrClosing = errClosing
)
