package mailsink

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"net/http"
	"strconv"
)

//go:embed page
var pages embed.FS

// pagePolicy lets a page load its stylesheet and frame its mail, and mailPolicy
// lets a mail show its own style; neither runs a script or asks another server.
const (
	pagePolicy = "default-src 'none'; style-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	mailPolicy = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
)

// inboxLength is how many mails the page lists; the API lists all.
const inboxLength = 200

// Handler serves the inbox:
//
//	GET /                          the newest mails; ?to=ADDRESS narrows them
//	GET /message/{id}              one mail
//	GET /message/{id}/html         its HTML, to be framed
//	GET /api/messages?to=ADDRESS   JSON, newest first
func (s *Sink) Handler() http.Handler {
	p := &inbox{sink: s, templates: template.Must(template.ParseFS(pages, "page/*.html"))}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.list)
	mux.HandleFunc("GET /message/{id}", p.message)
	mux.HandleFunc("GET /message/{id}/html", p.html)
	mux.HandleFunc("GET /api/messages", p.api)
	mux.HandleFunc("GET /style.css", p.style)
	return mux
}

type inbox struct {
	sink      *Sink
	templates *template.Template
}

type listView struct {
	To       string
	Paused   bool
	Total    int
	Messages []Message
}

func (p *inbox) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	v := listView{To: q.Get("to"), Paused: q.Has("pause"), Messages: p.sink.Messages(q.Get("to"))}
	v.Total = len(v.Messages)
	v.Messages = v.Messages[:min(v.Total, inboxLength)]
	p.render(w, "inbox.html", v)
}

func (p *inbox) message(w http.ResponseWriter, r *http.Request) {
	if m, ok := p.find(r); ok {
		p.render(w, "message.html", m)
		return
	}
	http.NotFound(w, r)
}

func (p *inbox) html(w http.ResponseWriter, r *http.Request) {
	m, ok := p.find(r)
	if !ok {
		http.NotFound(w, r)
		return
	}
	p.write(w, "text/html; charset=utf-8", mailPolicy, []byte(m.HTML))
}

func (p *inbox) api(w http.ResponseWriter, r *http.Request) {
	body, err := json.Marshal(p.sink.Messages(r.URL.Query().Get("to")))
	if err != nil {
		p.fail(w, err)
		return
	}
	p.write(w, "application/json", pagePolicy, body)
}

func (p *inbox) style(w http.ResponseWriter, r *http.Request) {
	http.ServeFileFS(w, r, pages, "page/style.css")
}

func (p *inbox) find(r *http.Request) (Message, bool) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return Message{}, false
	}
	return p.sink.Message(id)
}

func (p *inbox) render(w http.ResponseWriter, name string, view any) {
	var page bytes.Buffer
	if err := p.templates.ExecuteTemplate(&page, name, view); err != nil {
		p.fail(w, err)
		return
	}
	p.write(w, "text/html; charset=utf-8", pagePolicy, page.Bytes())
}

func (p *inbox) write(w http.ResponseWriter, kind, policy string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	if _, err := w.Write(body); err != nil {
		p.sink.log.Debug("answer not written", "error", err)
	}
}

func (p *inbox) fail(w http.ResponseWriter, err error) {
	p.sink.log.Error("page failed", "error", err)
	http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
}
