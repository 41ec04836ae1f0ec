// Package e2e tests the pages as people meet them: in a browser, in Thai and in
// English, with and without JavaScript, by keyboard, on a narrow phone, in the
// dark. Each test has a suite and a browser of its own.
package e2e_test

import (
	"testing"

	"matriq/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
