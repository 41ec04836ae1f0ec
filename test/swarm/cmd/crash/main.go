// Command crash ends at once with an error: as an image it is a release that
// does not start.
package main

import "os"

func main() { os.Exit(1) }
