package mailsink

import (
	"cmp"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/emersion/go-smtp"
)

// Stage is the command at which a fault strikes.
type Stage string

const (
	// StageHello is EHLO, when the connection is new or freshly encrypted.
	StageHello Stage = "hello"
	// StageAuth is the end of the login.
	StageAuth Stage = "auth"
	// StageMail is MAIL FROM.
	StageMail Stage = "mail"
	// StageRcpt is RCPT TO.
	StageRcpt Stage = "rcpt"
	// StageData is the end of the mail, after which 250 is due.
	StageData Stage = "data"
)

// Action is what a fault does in place of the right answer.
type Action string

const (
	// Answer is the right answer after all: it leaves the fault its On.
	Answer Action = ""
	// Refuse answers with the fault's code.
	Refuse Action = "refuse"
	// Hang answers nothing until the fault is removed or the server stops, and
	// then closes the connection.
	Hang Action = "hang"
	// Cut closes the connection without an answer.
	Cut Action = "cut"
	// KeepAndCut at [StageData] keeps the mail and closes the connection
	// without an answer: the sender cannot know.
	KeepAndCut Action = "keep_and_cut"
	// AcceptAndCut at [StageData] keeps the mail, answers 250 and then closes
	// the connection.
	AcceptAndCut Action = "accept_and_cut"
)

// Fault makes the server misbehave.
type Fault struct {
	Stage  Stage
	Action Action
	// Code is the SMTP code of [Refuse], such as 451 or 550.
	Code int
	// Text goes with the code.
	Text string
	// To limits the fault to recipients that match the pattern, as [path.Match]
	// has it, at [StageRcpt] and [StageData]; "" matches all.
	To string
	// Times is how often it strikes; zero means until it is removed.
	Times int
	// On, when set, is called at each strike, before the action.
	On func()
}

// Inject adds a fault; where several match, the oldest strikes. The returned
// function removes it.
func (s *Sink) Inject(f Fault) (remove func()) { return s.faults.add(f) }

type faults struct {
	mu   sync.Mutex
	live []*fault
}

type fault struct {
	Fault
	left    int // strikes; negative for any number
	removed chan struct{}
}

func (fs *faults) add(f Fault) (remove func()) {
	live := &fault{Fault: f, left: f.Times, removed: make(chan struct{})}
	if f.Times == 0 {
		live.left = -1
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.live = append(fs.live, live)
	return sync.OnceFunc(func() {
		fs.mu.Lock()
		defer fs.mu.Unlock()
		fs.live = slices.DeleteFunc(fs.live, func(other *fault) bool { return other == live })
		close(live.removed)
	})
}

// strike returns the fault that is due, or nil.
func (fs *faults) strike(stage Stage, to ...string) *fault {
	f := fs.take(stage, to)
	if f != nil && f.On != nil {
		f.On()
	}
	return f
}

func (fs *faults) take(stage Stage, to []string) *fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, f := range fs.live {
		if f.left != 0 && f.matches(stage, to) {
			f.left--
			return f
		}
	}
	return nil
}

func (f *fault) matches(stage Stage, to []string) bool {
	if f.Stage != stage {
		return false
	}
	return f.To == "" || slices.ContainsFunc(to, func(address string) bool {
		ok, err := path.Match(strings.ToLower(f.To), strings.ToLower(address))
		return ok && err == nil
	})
}

// refusal is the answer of [Refuse].
func (f *fault) refusal() error {
	return &smtp.SMTPError{
		Code:         f.Code,
		EnhancedCode: smtp.EnhancedCode{f.Code / 100, 0, 0},
		Message:      cmp.Or(f.Text, "refused for a test"),
	}
}
