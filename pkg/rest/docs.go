package rest

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"

	"github.com/swaggest/swgui/v5emb"
)

const (
	pathDescription = "/openapi.json"
	pathDocs        = "/docs"
)

//go:embed docs
var docsFiles embed.FS

// docsPolicy allows what Swagger UI needs, from this server alone: it sets
// styles on elements and has its pictures in data URLs.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// serveDocs adds the page and its files. The page is ours, since that of swgui
// has scripts in the HTML; the files are those that swgui embeds.
func (a *API) serveDocs() {
	index := serveBytes("text/html; charset=utf-8", docsPage(a.huma.OpenAPI().Info.Title))
	a.mux.Get(pathDocs, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", docsPolicy)
		w.Header().Set("Referrer-Policy", "no-referrer")
		index(w, r)
	})
	start, err := docsFiles.ReadFile("docs/start.js")
	if err != nil {
		panic(fmt.Sprintf("rest: read an embedded file: %v", err))
	}
	a.mux.Get(pathDocs+"/start.js", serveBytes("text/javascript; charset=utf-8", start))
	embedded := v5emb.New("", pathDescription, pathDocs)
	for _, name := range []string{"swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"} {
		a.mux.Get(pathDocs+"/"+name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "public, max-age=3600")
			embedded.ServeHTTP(w, r)
		})
	}
}

func docsPage(title string) []byte {
	var page bytes.Buffer
	t := template.Must(template.ParseFS(docsFiles, "docs/index.html"))
	if err := t.Execute(&page, title); err != nil {
		panic(fmt.Sprintf("rest: render the page of %s: %v", title, err))
	}
	return page.Bytes()
}
