package ui

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

//go:embed templates/*.html
var templateFiles embed.FS

// voice is the pages in one language.
type voice struct {
	lang      lang
	site      string
	messages  catalogue
	templates map[string]*template.Template
	steps     map[step]template.HTML // the list above a page
}

// templateNames are the pages; each fills the layout. The part called progress
// also stands alone.
func templateNames() []string {
	return []string{"start", "code", "names", "done", "busy", "problem"}
}

func (u *UI) newVoices() (map[lang]*voice, error) {
	sites := map[lang]string{thai: u.cfg.SiteNameTH, english: u.cfg.SiteNameEN}
	voices := map[lang]*voice{}
	for _, l := range languages() {
		messages, err := readCatalogue(l)
		if err != nil {
			return nil, err
		}
		v := &voice{
			lang: l, site: sites[l], messages: messages,
			templates: map[string]*template.Template{}, steps: map[step]template.HTML{},
		}
		if err := u.parse(v); err != nil {
			return nil, err
		}
		voices[l] = v
	}
	return voices, nil
}

func (u *UI) parse(v *voice) error {
	parts, err := u.parseFiles(v, page{}, "parts")
	if err != nil {
		return err
	}
	v.templates["progress"] = parts.Lookup("progress")
	if err := v.renderSteps(parts); err != nil {
		return err
	}
	for _, name := range templateNames() {
		if v.templates[name], err = u.parseFiles(v, journeyPage(name), "layout", "parts", name); err != nil {
			return err
		}
	}
	return nil
}

// renderSteps makes the list above the pages, which says the same for all people.
func (v *voice) renderSteps(parts *template.Template) error {
	for _, now := range (page{}).Steps() {
		var b strings.Builder
		if err := parts.ExecuteTemplate(&b, "steps", page{Step: now}); err != nil {
			return fmt.Errorf("render the list of steps: %w", err)
		}
		v.steps[now] = template.HTML(b.String()) //nolint:gosec // G203: html/template has made it
	}
	return nil
}

// parseFiles returns the templates of files for the page p, with what is the same
// whenever it is shown in the language of v written into them.
func (u *UI) parseFiles(v *voice, p page, names ...string) (*template.Template, error) {
	t := template.New("").Funcs(u.funcs(v))
	for _, name := range names {
		source, err := templateFiles.ReadFile("templates/" + name + ".html")
		if err != nil {
			return nil, err
		}
		if _, err := t.Parse(u.constants(v, p, string(source))); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// constant is an action of a template that says the same whenever a page is shown in
// one language: messages and assets, what there is one of, what the page of a step is
// called, and the mark of the language it is in.
var constant = regexp.MustCompile(`\{\{(t|asset) "([^"]+)"\}\}|\{\{(lang|site)\}\}|` +
	`\{\{(t \.Title|\.Path|if not \.Bare\}\}\{\{steps \.Step\}\}\{\{end)\}\}|\{\{if eq lang "(th|en)"\}\}([^{]*)\{\{end\}\}`)

// constants writes the text of constant actions into source, once for all times that
// the page is shown: a template calls its functions by reflection. They stand in text
// and in quoted attributes alone, for which the text is escaped. A page without a title
// is called in more than one way: what it is called stays an action.
func (u *UI) constants(v *voice, p page, source string) string {
	return constant.ReplaceAllStringFunc(source, func(action string) string {
		m, text := constant.FindStringSubmatch(action), ""
		switch {
		case m[1] == "t":
			text = v.messages.text(m[2])
		case m[1] == "asset":
			text = u.assets.url(m[2])
		case m[3] == "lang":
			text = string(v.lang)
		case m[3] == "site":
			text = v.site
		case m[5] != "":
			if m[5] != string(v.lang) {
				return ""
			}
			return m[6]
		case p.Title == "":
			return action
		case m[4] == "t .Title":
			text = v.messages.text(p.Title)
		case m[4] == ".Path":
			text = p.Path
		default:
			return string(v.steps[p.Step])
		}
		return strings.ReplaceAll(template.HTMLEscapeString(text), "{", "&#123;")
	})
}

// funcs are what templates call.
func (u *UI) funcs(v *voice) template.FuncMap {
	replica := ""
	if u.cfg.ShowReplica {
		replica = u.instance
	}
	return template.FuncMap{
		"t":         v.messages.text,
		"fault":     v.faultText,
		"countdown": v.countdown,
		"counting":  v.counting,
		"asset":     u.assets.url,
		"steps":     func(now step) template.HTML { return v.steps[now] },
		"stepName":  func(s step) string { return v.messages.text("step." + strconv.Itoa(int(s)+1)) },
		"lang":      func() lang { return v.lang },
		"site":      func() string { return v.site },
		"replica":   func() string { return replica },
		"number":    func(s step) int { return int(s) + 1 },
		"future":    func(t time.Time) bool { return time.Now().Before(t) },
	}
}

// faultText explains f in one sentence or two.
func (v *voice) faultText(f fault, j journey) string {
	left := ""
	if j.Left != nil {
		left = v.messages.text("fault.left", "left", strconv.Itoa(*j.Left))
	}
	key := "fault." + f.Reason
	if f.Reason == reasonWrongCode && left != "" {
		return v.messages.text(key) + " " + left
	}
	return v.messages.text(key, "wait", v.duration(time.Until(f.Until)))
}

// countdown is the message of key with a {wait} that the script counts down.
// Without the script it says how long it was when the page was made.
func (v *voice) countdown(key string, until time.Time) template.HTML {
	left := time.Until(until)
	return v.counting(key, strconv.Itoa(seconds(left)), v.duration(left))
}

// counting is countdown for a time in seconds that is also given as people say it.
func (v *voice) counting(key, seconds, wait string) template.HTML {
	span := fmt.Sprintf(`<span data-countdown="%s">%s</span>`, template.HTMLEscapeString(seconds), template.HTMLEscapeString(wait))
	text := template.HTMLEscapeString(v.messages.text(key))
	//nolint:gosec // G203: the message is escaped, and the span is made of two escaped texts
	return template.HTML(catalogue{key: text}.text(key, "wait", span))
}

// duration says d in one unit, never one of it: the texts need no singular.
func (v *voice) duration(d time.Duration) string {
	n, unit := max(2, seconds(d)), "unit.seconds"
	switch {
	case n >= 5400:
		n, unit = (n+3599)/3600, "unit.hours"
	case n >= 90:
		n, unit = (n+59)/60, "unit.minutes"
	}
	return v.messages.text(unit, "n", strconv.Itoa(n))
}

// bytes renders a page whole, so that nothing is sent of one that fails.
func (u *UI) bytes(l lang, name string, p page) ([]byte, error) {
	v := u.voices[l]
	var b bytes.Buffer
	root := "layout"
	if name == "progress" {
		root = name
	}
	if err := v.templates[name].ExecuteTemplate(&b, root, p); err != nil {
		return nil, fmt.Errorf("render %s: %w", name, err)
	}
	return b.Bytes(), nil
}

func (u *UI) render(w http.ResponseWriter, l lang, status int, name string, p page) error {
	body, err := u.bytes(l, name, p)
	if err != nil {
		return err
	}
	writePage(w, l, status, string(body))
	return nil
}

func writePage(w http.ResponseWriter, l lang, status int, body string) {
	h := w.Header()
	h.Set("Content-Type", typeHTML)
	h.Set("Content-Language", string(l))
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	io.WriteString(w, body) //nolint:errcheck,gosec // the client has gone: nobody is left to be told
}
