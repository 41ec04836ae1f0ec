package ui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

const typeHTML = "text/html; charset=utf-8"

// blob is bytes that never change, compressed once.
type blob struct{ plain, gzip representation }

// representation is one form of a blob, with the header that says so. Each has a
// tag of its own: a strong tag names bytes.
type representation struct {
	body   []byte
	etag   string
	header http.Header
}

func newRepresentation(body []byte, etag string, header ...string) representation {
	return representation{body, etag, fixed(append(header, "ETag", etag, "Content-Length", strconv.Itoa(len(body)))...)}
}

// fixed is a header of pairs that is shared by all answers and never changed.
func fixed(pairs ...string) http.Header {
	h := http.Header{}
	for pair := range slices.Chunk(pairs, 2) {
		h.Add(pair[0], pair[1])
	}
	return h
}

func newBlob(kind string, body []byte) (blob, error) {
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return blob{}, err
	}
	if _, err := w.Write(body); err != nil {
		return blob{}, fmt.Errorf("compress: %w", err)
	}
	if err := w.Close(); err != nil {
		return blob{}, fmt.Errorf("compress: %w", err)
	}
	sum := contentHash(body)
	return blob{
		plain: newRepresentation(body, `"`+sum+`"`, "Content-Type", kind),
		gzip:  newRepresentation(packed.Bytes(), `"`+sum+`-gzip"`, "Content-Type", kind, "Content-Encoding", "gzip"),
	}, nil
}

// contentHash names content in tags and file names.
func contentHash(body []byte) string {
	sum := sha256.Sum256(body)
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// serve writes b to whoever does not have it yet. The header common is what its
// forms do not say: for how long it is good, and for whom.
func (b blob) serve(w http.ResponseWriter, r *http.Request, common http.Header) {
	form := b.plain
	if takesGzip(r) {
		form = b.gzip
	}
	h := w.Header()
	maps.Copy(h, common)
	if hasTag(r, form.etag) {
		h["Etag"] = form.header["Etag"]
		w.WriteHeader(http.StatusNotModified)
		return
	}
	maps.Copy(h, form.header)
	w.Write(form.body) //nolint:errcheck,gosec // the client has gone: nobody is left to be told
}

// takesGzip reads Accept-Encoding.
func takesGzip(r *http.Request) bool {
	for item := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(item), ";")
		if strings.EqualFold(name, "gzip") {
			return quality(params) > 0
		}
	}
	return false
}

// hasTag reads If-None-Match, which compares weakly.
func hasTag(r *http.Request, etag string) bool {
	for item := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		item = strings.TrimPrefix(strings.TrimSpace(item), "W/")
		if item == etag || item == "*" {
			return true
		}
	}
	return false
}
