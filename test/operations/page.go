// Package operations reads the commands of docs/operations.md, so that tests can
// hold the page to its word.
//
// A command stands in a fenced block that begins with ```sh. A test runs all of
// them on a swarm, in the order of the page, unless a comment in the line before
// says otherwise:
//
//	<!-- three nodes -->       it is run where the swarm has three nodes
//	<!-- not run: REASON -->   it cannot be run in a test; its form is checked
//
// There is no third way: a block is run, or the page says why it is not.
package operations

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// Block is one block of commands.
type Block struct {
	Line       int    // of its first command
	Section    string // the heading that it stands under
	Code       string
	ThreeNodes bool
	NotRun     string // why; "": it is run
}

// marker is a comment that stands before a block.
var marker = regexp.MustCompile(`^<!-- (three nodes|not run: (.+)) -->$`)

// Read returns the blocks of a page.
func Read(page io.Reader) ([]Block, error) {
	var blocks []Block
	var r reader
	lines := bufio.NewScanner(page)
	for n := 1; lines.Scan(); n++ {
		block, err := r.line(n, lines.Text())
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if block != nil {
			blocks = append(blocks, *block)
		}
	}
	if r.fence != "" {
		return nil, fmt.Errorf("the block %s at the end is open", r.fence)
	}
	return blocks, lines.Err()
}

// reader is what is known after a line.
type reader struct {
	section string
	marked  bool // the line before was a marker
	fence   string
	next    Block
}

// line takes the n-th line, and returns a block that it ends.
func (r *reader) line(n int, text string) (*Block, error) {
	switch {
	case r.fence != "" && text != "```":
		r.next.Code += text + "\n"
	case r.fence != "":
		block, commands := r.next, r.fence == "```sh"
		r.next, r.fence = Block{}, ""
		if commands {
			return &block, nil
		}
	case strings.HasPrefix(text, "```"):
		if r.marked && text != "```sh" {
			return nil, fmt.Errorf("a remark on commands stands before %s", text)
		}
		r.fence, r.marked = text, false
		r.next.Line, r.next.Section = n+1, r.section
	case r.marked:
		return nil, fmt.Errorf("a remark on commands stands before %q", text)
	case strings.HasPrefix(text, "<!--"):
		found := marker.FindStringSubmatch(text)
		if found == nil {
			return nil, fmt.Errorf("%q is no remark that a test knows", text)
		}
		r.marked, r.next.NotRun, r.next.ThreeNodes = true, found[2], found[2] == ""
	case strings.HasPrefix(text, "#"):
		r.section = strings.TrimSpace(strings.TrimLeft(text, "#"))
	}
	return nil, nil
}

// Command is one of a block: its words, without what is piped or redirected.
type Command []string

// Flags returns the long options of c, without their values.
func (c Command) Flags() (flags []string) {
	for _, word := range c {
		if strings.HasPrefix(word, "--") && len(word) > 2 {
			name, _, _ := strings.Cut(word, "=")
			flags = append(flags, name)
		}
	}
	return flags
}

// separators stand between commands.
var separators = regexp.MustCompile(`\s*(\||&&|;|\$\(|"\$\(|\))\s*`)

// Commands takes the block apart, roughly: enough to see which programs are called
// with which options.
func (b Block) Commands() (commands []Command) {
	for line := range strings.Lines(b.Code) {
		for _, part := range separators.Split(quoted.ReplaceAllString(line, "QUOTED"), -1) {
			if words := strings.Fields(part); len(words) > 0 {
				commands = append(commands, words)
			}
		}
	}
	return commands
}

// quoted is a text that a shell takes as it is.
var quoted = regexp.MustCompile(`'[^']*'`)
