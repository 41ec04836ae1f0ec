//go:build !linux && !darwin

package load

// alive cannot be told here: a connection that the server has closed is noticed
// when it is used.
func (c *conn) alive() bool { return true }
