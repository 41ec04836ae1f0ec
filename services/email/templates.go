package email

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"strings"
	texttemplate "text/template"

	"matriq/pkg/rpc"
)

//go:embed templates
var templateFiles embed.FS

// page names a mail: templates/PAGE.LANGUAGE.txt, whose first line is the
// subject, and templates/PAGE.LANGUAGE.html, which layout.html frames.
type page string

const (
	pageCode         page = "code"
	pageRegistered   page = "registered"
	pageConfirmation page = "confirmation"
)

const (
	thai    = "th"
	english = "en"
)

var errSubject = errors.New("the first line is no subject")

// view is what a template may show.
type view struct {
	Language, Subject, Site string

	Code, Ref string
	Minutes   int

	StudentID, Firstname, Lastname string
}

type templates struct {
	text map[string]*texttemplate.Template
	html map[string]*htmltemplate.Template
}

func parseTemplates() (templates, error) {
	t := templates{text: map[string]*texttemplate.Template{}, html: map[string]*htmltemplate.Template{}}
	for _, p := range []page{pageCode, pageRegistered, pageConfirmation} {
		for _, language := range []string{thai, english} {
			name := templateName(p, language)
			text, err := texttemplate.ParseFS(templateFiles, "templates/"+name+".txt")
			if err != nil {
				return t, fmt.Errorf("parse the text of a mail: %w", err)
			}
			html, err := htmltemplate.ParseFS(templateFiles, "templates/layout.html", "templates/"+name+".html")
			if err != nil {
				return t, fmt.Errorf("parse the HTML of a mail: %w", err)
			}
			t.text[name], t.html[name] = text, html
		}
	}
	return t, nil
}

func templateName(p page, language string) string { return string(p) + "." + language }

// render writes both forms of a mail.
func (t templates) render(p page, language string, v view) (Content, error) {
	name := templateName(p, language)
	v.Language = language
	var text, html bytes.Buffer
	if err := t.text[name].Execute(&text, v); err != nil {
		return Content{}, fmt.Errorf("write the text of a mail: %w", err)
	}
	head, body, _ := strings.Cut(text.String(), "\n\n")
	subject, ok := strings.CutPrefix(head, "Subject: ")
	if !ok {
		return Content{}, fmt.Errorf("%s: %w", name, errSubject)
	}
	v.Subject = subject
	if err := t.html[name].ExecuteTemplate(&html, "layout.html", v); err != nil {
		return Content{}, fmt.Errorf("write the HTML of a mail: %w", err)
	}
	return Content{Subject: subject, Text: body, HTML: html.String()}, nil
}

// language returns the one in which the person of ctx is written to.
func (s *Service) language(ctx context.Context) string {
	primary, _, _ := strings.Cut(strings.ToLower(rpc.MetaFrom(ctx).Language), "-")
	if known(primary) {
		return primary
	}
	return s.rules.Language
}

func known(language string) bool { return language == thai || language == english }
