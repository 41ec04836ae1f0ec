package load

import (
	"bytes"
	"net/url"

	"golang.org/x/net/html"
)

// form is a form of a page.
type form struct {
	action string
	values url.Values
}

// findForm returns the first form of a page that has all the fields, filled in
// with them and, in the others, with what the page has.
func findForm(page []byte, fields map[string]string) (form, bool) {
	for {
		begin := bytes.Index(page, []byte("<form"))
		if begin < 0 {
			return form{}, false
		}
		page = page[begin:]
		end := bytes.Index(page, []byte("</form>"))
		if end < 0 {
			end = len(page)
		}
		if f := readForm(page[:end]); f.fill(fields) {
			return f, true
		}
		page = page[end:]
	}
}

// fill is false when the form lacks a field.
func (f form) fill(fields map[string]string) bool {
	for name, value := range fields {
		if !f.values.Has(name) {
			return false
		}
		f.values.Set(name, value)
	}
	return true
}

func readForm(markup []byte) form {
	f := form{values: url.Values{}}
	z := html.NewTokenizer(bytes.NewReader(markup))
	for kind := z.Next(); kind != html.ErrorToken; kind = z.Next() {
		if kind == html.StartTagToken || kind == html.SelfClosingTagToken {
			f.note(z)
		}
	}
	return f
}

// note takes what a tag tells of the form. Most tags, such as those of pictures, tell
// nothing.
func (f *form) note(z *html.Tokenizer) {
	tag, more := z.TagName()
	isForm, isInput := string(tag) == "form", string(tag) == "input"
	if !isForm && !isInput {
		return
	}
	var action, name, value string
	for more {
		var key, text []byte
		key, text, more = z.TagAttr()
		switch string(key) {
		case "action":
			action = string(text)
		case "name":
			name = string(text)
		case "value":
			value = string(text)
		}
	}
	switch {
	case isForm:
		f.action = action
	case name != "":
		f.values.Set(name, value)
	}
}
