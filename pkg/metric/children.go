// Package metric finds the children of metrics without looking at their labels.
//
// A Prometheus vector hashes its labels and compares them, each time it is asked for
// a child. What counts every request and every message asks once.
package metric

import "sync"

// Children keeps the children of vectors by a key that stands for their labels.
//
// There are as many as there are keys, and none is ever dropped, as in a vector:
// nothing that strangers make up belongs into a key.
type Children[K comparable, C any] struct {
	find  func(K) C
	mu    sync.RWMutex
	found map[K]C
}

// NewChildren returns children that find makes, from the labels that a key stands for.
func NewChildren[K comparable, C any](find func(K) C) *Children[K, C] {
	return &Children[K, C]{find: find, found: make(map[K]C)}
}

// Of returns the child of key. It may be called by several goroutines, and find with
// it, which then returns the same child, as a vector does.
func (c *Children[K, C]) Of(key K) C {
	c.mu.RLock()
	child, ok := c.found[key]
	c.mu.RUnlock()
	if ok {
		return child
	}
	child = c.find(key)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.found[key] = child
	return child
}
