//go:build race

package harness

// raceDetector is true in a test program that has it: then the processes have
// it too.
const raceDetector = true
