package cache

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

const (
	maxURI      = 1000
	maxLanguage = 200
	maxBody     = 1 << 20
)

// keyOf names the answer that r asks for; ok is false where r may not be answered
// from memory. Each form that Vary may tell apart has a key of its own.
func keyOf(r *http.Request) (key string, ok bool) {
	uri, language := r.URL.RequestURI(), strings.Join(r.Header.Values("Accept-Language"), ",")
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead,
		r.Header.Get("Authorization") != "", r.Header.Get("Range") != "", r.Header.Get("Upgrade") != "",
		len(uri) > maxURI, len(language) > maxLanguage:
		return "", false
	}
	return strings.Join([]string{strings.ToLower(r.Host), uri, encoding(r), strings.ReplaceAll(language, " ", "")}, "\n"), true
}

// encoding is gzip where r takes it, else "". Those two are what is fetched:
// browsers list what they take in a dozen ways.
func encoding(r *http.Request) string {
	for item := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, weight, _ := strings.Cut(strings.ReplaceAll(item, " ", ""), ";q=")
		if refused := weight != "" && strings.Trim(weight, "0.") == ""; strings.EqualFold(name, "gzip") && !refused {
			return "gzip"
		}
	}
	return ""
}

// shared is r as it is fetched for everybody: in full, with no word of who asks,
// and to the end even when that person leaves.
func shared(r *http.Request) *http.Request {
	s := r.Clone(context.WithoutCancel(r.Context()))
	for _, name := range []string{
		"Cookie", "Accept-Encoding", "If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-Range",
	} {
		s.Header.Del(name)
	}
	if e := encoding(r); e != "" {
		s.Header.Set("Accept-Encoding", e)
	}
	return s
}

// lifetime is how long an answer may be kept; 0: not at all.
func lifetime(status int, header http.Header) time.Duration {
	length, err := strconv.Atoi(header.Get("Content-Length"))
	if status != http.StatusOK || err != nil || length > maxBody || header.Get("Set-Cookie") != "" || !variesAsKeyed(header) {
		return 0
	}
	control := directives(header)
	for _, forbidden := range []string{"no-store", "no-cache", "private"} {
		if _, ok := control[forbidden]; ok {
			return 0
		}
	}
	if _, ok := control["public"]; !ok {
		return 0
	}
	age := control["max-age"]
	if shared, ok := control["s-maxage"]; ok {
		age = shared
	}
	seconds, err := strconv.ParseInt(age, 10, 32)
	if err != nil {
		return 0
	}
	return max(0, time.Duration(seconds)*time.Second-ageOf(header))
}

func variesAsKeyed(header http.Header) bool {
	for name := range strings.SplitSeq(strings.Join(header.Values("Vary"), ","), ",") {
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "", "accept-encoding", "accept-language":
		default:
			return false
		}
	}
	return true
}

// directives are those of Cache-Control, by their names in lower case.
func directives(header http.Header) map[string]string {
	found := map[string]string{}
	for item := range strings.SplitSeq(strings.Join(header.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(item), "=")
		found[strings.ToLower(name)] = strings.Trim(value, `"`)
	}
	return found
}

// ageOf is how old an answer was when it came.
func ageOf(header http.Header) time.Duration {
	seconds, err := strconv.ParseInt(header.Get("Age"), 10, 32)
	if err != nil {
		return 0
	}
	return time.Duration(max(0, seconds)) * time.Second
}

func parseCount(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err == nil && n <= 0 {
		err = errors.New("must be more than 0")
	}
	return n, err
}

// parseSize reads 32MiB.
func parseSize(text string) (int, error) {
	n, err := humanize.ParseBytes(text)
	if err == nil && (n == 0 || n > 1<<40) {
		err = errors.New("must be between 1 and 1TiB")
	}
	return int(n), err //nolint:gosec // G115: within the limits
}
