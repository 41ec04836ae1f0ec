package cache

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ownHeaders are of one exchange alone and not of what was answered.
var ownHeaders = []string{"Age", "Cache-Status", "X-Request-Id", "X-Served-By"}

// answer is a 200 that is kept. It does not change.
type answer struct {
	header http.Header
	body   []byte
	// made is when the answer was new; ends, when it no longer is.
	made, ends time.Time
	// gone is when it may not even be given for want of a newer one.
	gone time.Time
	// paused: until then no newer one is asked for.
	paused time.Time
}

func newAnswer(header http.Header, body []byte, now time.Time, stale time.Duration) *answer {
	a := &answer{header: header.Clone(), body: bytes.Clone(body)}
	a.made = now.Add(-ageOf(header))
	a.ends = now.Add(lifetime(http.StatusOK, header))
	a.gone = a.ends.Add(stale)
	for _, name := range ownHeaders {
		a.header.Del(name)
	}
	return a
}

// usable tells whether a may be given without asking for a newer one.
func (a *answer) usable(now time.Time) bool {
	return a != nil && (now.Before(a.ends) || now.Before(a.paused) && now.Before(a.gone))
}

// servable tells whether a may be given when there is no newer one.
func (a *answer) servable(now time.Time) bool { return a != nil && now.Before(a.gone) }

func (a *answer) pausedUntil(end time.Time) *answer {
	paused := *a
	paused.paused = end
	return &paused
}

// size is about what a takes in memory.
func (a *answer) size() int {
	n := len(a.body)
	for name, values := range a.header {
		n += len(name) + len(strings.Join(values, ","))
	}
	return n
}

// serve writes a; how says in the words of RFC 9211 where it came from.
func (a *answer) serve(w http.ResponseWriter, r *http.Request, how string) error {
	now, header := time.Now(), w.Header()
	maps.Copy(header, a.header.Clone())
	header.Set("Age", strconv.Itoa(int(now.Sub(a.made).Seconds())))
	header.Set("Cache-Status", fmt.Sprintf("edge; %s; ttl=%d", how, int(a.ends.Sub(now).Seconds())))
	if a.isKnown(r) {
		for _, name := range []string{"Content-Type", "Content-Length", "Content-Encoding"} {
			header.Del(name)
		}
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := w.Write(a.body)
	return err
}

// isKnown reads If-None-Match, which compares weakly.
func (a *answer) isKnown(r *http.Request) bool {
	tag := strings.TrimPrefix(a.header.Get("ETag"), "W/")
	for item := range strings.SplitSeq(strings.Join(r.Header.Values("If-None-Match"), ","), ",") {
		if item = strings.TrimPrefix(strings.TrimSpace(item), "W/"); tag != "" && item == tag || item == "*" {
			return true
		}
	}
	return false
}
