package ui

import (
	"net/http"
	"net/textproto"
	"slices"
)

// header is fields that never change. It is read faster than a map, and the values
// are shared by all answers. They have no room for more, so that [http.Header.Add]
// makes a copy.
type header []field

type field struct {
	name   string
	values []string
}

// fixed is a header of pairs of name and value; a name may come again.
func fixed(pairs ...string) header {
	var h header
	for pair := range slices.Chunk(pairs, 2) {
		name := textproto.CanonicalMIMEHeaderKey(pair[0])
		i := slices.IndexFunc(h, func(f field) bool { return f.name == name })
		if i < 0 {
			i = len(h)
			h = append(h, field{name: name})
		}
		h[i].values = slices.Clip(append(h[i].values, pair[1]))
	}
	return h
}

func (h header) putInto(to http.Header) {
	for _, f := range h {
		to[f.name] = f.values
	}
}
