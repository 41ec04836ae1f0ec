package ui

import (
	"embed"
	"net/http"
	"path"
	"strings"
)

//go:embed static
var staticFiles embed.FS

// assets are the files beside the pages, by name. Their URLs hold a hash of
// their content, so that a browser asks once.
type assets map[string]asset

// asset is one file, under the name of this version and under that of another.
type asset struct{ current, stale blob }

func readAssets() (assets, error) {
	kinds := map[string]string{
		"app.css":  "text/css; charset=utf-8",
		"app.js":   "text/javascript; charset=utf-8",
		"icon.svg": "image/svg+xml",
	}
	all := assets{}
	for name, kind := range kinds {
		body, err := staticFiles.ReadFile("static/" + name)
		if err != nil {
			return nil, err
		}
		b, err := newBlob(kind, body)
		if err != nil {
			return nil, err
		}
		all[name] = asset{b.with(thisVersion), b.with(otherVersion)}
	}
	return all, nil
}

// url is where name is found: /static/app.HASH.css for app.css.
func (a assets) url(name string) string {
	ext := path.Ext(name)
	return pathStatic + strings.TrimSuffix(name, ext) + "." + a[name].current.hash() + ext
}

func (b blob) hash() string { return strings.Trim(b.plain.etag, `"`) }

// For how long a file is good: for ever under the name of this version, and not
// at all under that of another.
var (
	thisVersion  = fixed("Vary", "Accept-Encoding", "Cache-Control", "public, max-age=31536000, immutable")
	otherVersion = fixed("Vary", "Accept-Encoding", "Cache-Control", "no-store")
)

// serveStatic serves a file by the name of any of its versions. While replicas
// of two versions run, the page of one may ask the other for its stylesheet:
// better the wrong version, for that once, than none.
func (u *UI) serveStatic(w http.ResponseWriter, r *http.Request) {
	file := r.PathValue("file")
	ext := path.Ext(file)
	stem, version, versioned := strings.Cut(strings.TrimSuffix(file, ext), ".")
	a, ok := u.assets[stem+ext]
	switch {
	case !ok || !versioned:
		u.tell(w, r, problemNotFound)
	case version == a.current.hash():
		a.current.serve(w, r)
	default:
		a.stale.serve(w, r)
	}
}

// redirectIcon serves GET /favicon.ico, which browsers ask for unasked.
func (u *UI) redirectIcon(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age=86400")
	http.Redirect(w, r, u.assets.url("icon.svg"), http.StatusFound)
}
