//go:build nosuite

package main

// The image for operators has no suite: nobody reaches what listens on the
// loopback address of a container, and the suite is half of the program.
const (
	whereToStart = ""
	localGateway = ""
)

func suiteCommands() []command { return nil }
