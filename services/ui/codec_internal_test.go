package ui

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
)

// What either of the two codecs writes is what the other one does, and both read
// it, however many are at it.
func TestCodec_IsThatOfSCS(t *testing.T) {
	t.Parallel()
	c, err := newCodec()
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for k := range 50 {
				at := time.Unix(int64(1_700_000_000+i*1000+k), int64(k)).UTC()
				values := map[string]any{journeyKey: fmt.Appendf(nil, "%*d", k*k+1, i)}
				ours, err := c.Encode(at, values)
				if err != nil {
					t.Error(err)
				}
				theirs, err := scs.GobCodec{}.Encode(at, values)
				if err != nil || !bytes.Equal(ours, theirs) {
					t.Errorf("session %d.%d is\n%q\nof scs\n%q (%v)", i, k, ours, theirs, err)
				}
				deadline, got, err := c.Decode(theirs)
				if err != nil || !deadline.Equal(at) || !maps.EqualFunc(got, values, sameBytes) {
					t.Errorf("session %d.%d is read as %v, %v, %v", i, k, deadline, got, err)
				}
			}
		})
	}
	all.Wait()
}

func sameBytes(a, b any) bool {
	x, isX := a.([]byte)
	y, isY := b.([]byte)
	return isX && isY && bytes.Equal(x, y)
}

// A gob of another program numbers its types otherwise.
func TestCodec_ReadsOtherPrograms(t *testing.T) {
	t.Parallel()
	c, err := newCodec()
	if err != nil {
		t.Fatal(err)
	}
	type numbered struct {
		Values   map[string]any
		Deadline time.Time
		More     string
	}
	var out bytes.Buffer
	if err := gob.NewEncoder(&out).Encode(numbered{map[string]any{journeyKey: []byte("{}")}, time.Unix(1, 0), "x"}); err != nil {
		t.Fatal(err)
	}
	if bytes.HasPrefix(out.Bytes(), c.types) {
		t.Fatal("the test has one program only")
	}
	deadline, values, err := c.Decode(out.Bytes())
	if err != nil || !deadline.Equal(time.Unix(1, 0)) || !sameBytes(values[journeyKey], []byte("{}")) {
		t.Errorf("read as %v, %v, %v", deadline, values, err)
	}
}

// FuzzCodec: whatever Redis holds is read as scs reads it, and spoils nothing for
// the session after it.
func FuzzCodec(f *testing.F) {
	c, err := newCodec()
	if err != nil {
		f.Fatal(err)
	}
	at := time.Unix(1_700_000_000, 0).UTC()
	good, err := c.Encode(at, map[string]any{journeyKey: []byte("{}")})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{
		good, good[:len(good)-1], c.types, c.types[:len(c.types)-1], append(bytes.Clone(c.types), good...),
		append(bytes.Clone(good), good...), append(bytes.Clone(good), c.types...), nil, []byte("of another kind"),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, stored []byte) {
		for range 2 { // by a decoder that is new, and by one that is not
			ours, got, err := c.Decode(stored)
			theirs, want, wrong := scs.GobCodec{}.Decode(stored)
			if (err == nil) != (wrong == nil) || !ours.Equal(theirs) || len(got) != len(want) || !sameBytes(got[journeyKey], want[journeyKey]) && want[journeyKey] != nil {
				t.Errorf("%q is read as %v, %v, %v; by scs as %v, %v, %v", stored, ours, got, err, theirs, want, wrong)
			}
			if deadline, values, err := c.Decode(good); err != nil || !deadline.Equal(at) || !sameBytes(values[journeyKey], []byte("{}")) {
				t.Fatalf("after %q a good session is read as %v, %v, %v", stored, deadline, values, err)
			}
		}
	})
}
