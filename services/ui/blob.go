package ui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
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
	body []byte
	etag string
	// header goes with the body, unchanged with the news that it is the same.
	header, unchanged header
}

func newRepresentation(body []byte, etag string, pairs ...string) representation {
	tag := fixed("ETag", etag)
	own := fixed(append(pairs, "Content-Length", strconv.Itoa(len(body)))...)
	return representation{body, etag, slices.Concat(own, tag), tag}
}

// with is b whose header also says what its forms do not: for how long it is good,
// and for whom.
func (b blob) with(more header) blob {
	return blob{b.plain.with(more), b.gzip.with(more)}
}

func (r representation) with(more header) representation {
	r.header, r.unchanged = slices.Concat(more, r.header), slices.Concat(more, r.unchanged)
	return r
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

// serve writes b to whoever does not have it yet, and returns the status.
func (b blob) serve(w http.ResponseWriter, r *http.Request) int {
	form := b.plain
	if takesGzip(r) {
		form = b.gzip
	}
	if hasTag(r, form.etag) {
		form.unchanged.putInto(w.Header())
		w.WriteHeader(http.StatusNotModified)
		return http.StatusNotModified
	}
	form.header.putInto(w.Header())
	w.Write(form.body) //nolint:errcheck,gosec // the client has gone: nobody is left to be told
	return http.StatusOK
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
