package browser

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
)

// watch notes faults and navigations as the tab tells of them.
type watch struct {
	mu      sync.Mutex
	origins []string
	faults  []string
	loads   int
}

// Allow adds origins from which pages may load.
func (b *Browser) Allow(origins ...string) {
	b.watch.mu.Lock()
	defer b.watch.mu.Unlock()
	b.watch.origins = append(b.watch.origins, origins...)
}

// see is called for every event, in order, on the goroutine that reads the
// browser's messages.
func (w *watch) see(ev any) {
	switch ev := ev.(type) {
	case *runtime.EventConsoleAPICalled:
		if ev.Type == runtime.ConsoleAPICalledTypeError || ev.Type == runtime.ConsoleAPICalledTypeWarning || ev.Type == runtime.ConsoleAPICalledTypeAssert {
			w.note("console %s: %s", ev.Type, arguments(ev.Args))
		}
	case *runtime.EventExceptionThrown:
		w.note("exception: %s", exception(ev.ExceptionDetails))
	case *log.EventEntryAdded:
		if ev.Entry.Level == log.EntryLevelError || ev.Entry.Level == log.EntryLevelWarning {
			w.note("log %s: %s (%s)", ev.Entry.Source, ev.Entry.Text, ev.Entry.URL)
		}
	case *audits.EventIssueAdded:
		w.note("%s", issue(ev.Issue))
	case *network.EventRequestWillBeSent:
		if !w.allows(ev.Request.URL) {
			w.note("request to another origin: %s", ev.Request.URL)
		}
	case *page.EventFrameNavigated:
		if ev.Frame.ParentID == "" {
			w.loaded()
		}
	}
}

func (w *watch) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
}

func (w *watch) loaded() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loads++
}

// allows is true for requests to the origins.
func (w *watch) allows(raw string) bool {
	u, err := url.Parse(raw)
	w.mu.Lock()
	defer w.mu.Unlock()
	return err == nil && slices.Contains(w.origins, u.Scheme+"://"+u.Host)
}

func arguments(args []*runtime.RemoteObject) string {
	var text strings.Builder
	for _, a := range args {
		text.WriteString(" " + string(a.Value) + a.Description)
	}
	return text.String()
}

func exception(d *runtime.ExceptionDetails) string {
	if d.Exception != nil {
		return d.Text + " " + d.Exception.Description
	}
	return d.Text
}

// issue tells of what Chromium's own audit finds: violations of the policy,
// refused cookies, fields without labels, …
func issue(i *audits.InspectorIssue) string {
	if v := i.Details.ContentSecurityPolicyIssueDetails; v != nil {
		return fmt.Sprintf("policy violation: %s blocked %q", v.ViolatedDirective, v.BlockedURL)
	}
	return "issue: " + string(i.Code)
}

// Faults are what has been noted since the start or the last call.
func (b *Browser) Faults() ([]string, error) {
	// Whatever the browser told before this answer has then been seen.
	if _, err := b.Eval("0"); err != nil {
		return nil, err
	}
	b.watch.mu.Lock()
	defer b.watch.mu.Unlock()
	faults := b.watch.faults
	b.watch.faults = nil
	return faults, nil
}

// Loads is how many documents the tab has shown, reloads included.
func (b *Browser) Loads() int {
	b.watch.mu.Lock()
	defer b.watch.mu.Unlock()
	return b.watch.loads
}
