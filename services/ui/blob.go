package ui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

const typeHTML = "text/html; charset=utf-8"

// blob is bytes that never change, compressed once.
type blob struct {
	kind        string
	plain, gzip representation
}

// representation is one form of a blob. Each has a tag of its own: a strong tag
// names bytes.
type representation struct {
	body []byte
	etag string
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
		kind:  kind,
		plain: representation{body, `"` + sum + `"`},
		gzip:  representation{packed.Bytes(), `"` + sum + `-gzip"`},
	}, nil
}

// contentHash names content in tags and file names.
func contentHash(body []byte) string {
	sum := sha256.Sum256(body)
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// serve writes b to whoever does not have it yet.
func (b blob) serve(w http.ResponseWriter, r *http.Request, cacheControl string) {
	form := b.plain
	h := w.Header()
	h.Add("Vary", "Accept-Encoding")
	h.Set("Cache-Control", cacheControl)
	if takesGzip(r) {
		form = b.gzip
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("ETag", form.etag)
	if hasTag(r, form.etag) {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", b.kind)
	h.Set("Content-Length", strconv.Itoa(len(form.body)))
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
