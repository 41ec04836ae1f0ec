package e2e_test

import (
	"strings"
	"testing"

	"matriq/pkg/mailsink"
	"matriq/test/e2e/browser"
	"matriq/test/harness"
)

// texts are what a person expects to read in a language.
type texts struct {
	language             string
	site                 string
	start, code, names   string // headings of the pages
	done                 string
	complete             string
	first, last, subject string
}

var thai = texts{
	language: "th", site: "ระบบลงทะเบียนนักศึกษา",
	start: "ลงทะเบียนนักศึกษาใหม่", code: "ตรวจสอบอีเมลของท่าน", names: "ชื่อของท่าน", done: "ลงทะเบียนสำเร็จ",
	complete: "ดำเนินการเสร็จสิ้นแล้ว",
	first:    "มาลี", last: "ใจดี", subject: "ลงทะเบียน",
}

var english = texts{
	language: "en", site: "Student Registration",
	start: "Register as a new student", code: "Check your e-mail", names: "What is your name?", done: "You are registered",
	complete: "Everything is done",
	first:    "Malee", last: "Jaidee", subject: "registered",
}

// reads fails the test unless the page is in the language, with heading and
// title.
func (p *person) reads(tx texts, path, heading string) {
	p.t.Helper()
	p.sees(path)
	p.is("lang", tx.language, `document.documentElement.lang`)
	p.is("heading", heading, `document.querySelector("h1").innerText`)
	p.is("title", heading+" · "+tx.site, `document.title`)
}

// The whole way from the first page to the mail in the inbox.
func TestJourney(t *testing.T) {
	t.Parallel()
	suite := harness.StartUp(t, t.TempDir())
	for email, tx := range map[string]texts{"malee@example.ac.th": thai, "somchai@example.ac.th": english} {
		t.Run(tx.language, func(t *testing.T) {
			t.Parallel()
			p := newPerson(t, suite, browser.Options{Language: tx.language})
			p.opens("/")
			p.reads(tx, "/", tx.start)
			p.types("email", email)
			p.sends("email")
			p.reads(tx, "/authen", tx.code)
			ref := p.text(".ref")
			p.types("otp", p.suite.Code(t, email))
			if mail := p.suite.Mails(t, email)[0]; mail.Lang != tx.language || !strings.Contains(mail.Text, ref) {
				t.Errorf("the mail with the code is in %q and should name %s:\n%s", mail.Lang, ref, mail.Text)
			}
			p.sends("otp")
			p.reads(tx, "/reg", tx.names)
			p.types("firstname", tx.first)
			p.types("lastname", tx.last)
			p.sends("lastname")
			p.reads(tx, "/done", tx.done)
			p.sees("/done", tx.first, tx.last, email)
			id := p.text("output")
			if !strings.HasPrefix(id, "6900000") {
				t.Errorf("the student ID is %q", id)
			}
			p.must(p.b.Wait(`document.querySelector("#progress[data-complete]") !== null`))
			p.sees("/done", tx.complete)
			p.findsConfirmation(tx, email, id)
			p.noFaults()
		})
	}
}

// findsConfirmation looks into the inbox for the mail with the student ID.
func (p *person) findsConfirmation(tx texts, email, id string) {
	p.t.Helper()
	mail := p.suite.WaitMail(p.t, email, func(m mailsink.Message) bool { return strings.Contains(m.Text, id) })
	if mail.Lang != tx.language || !strings.Contains(mail.Subject, tx.subject) {
		p.t.Errorf("the confirmation is %q in %q", mail.Subject, mail.Lang)
	}
	p.must(p.b.Open(string(p.suite.Inbox) + "/?pause&to=" + email))
	p.is("title", "Inbox (2)", `document.title`)
	p.clicks("tbody tr:first-child a") // the newest
	p.is("heading", mail.Subject, `document.querySelector("h1").innerText`)
	p.is("language of the mail", tx.language, `document.querySelector("pre").lang`)
	if text := p.text("pre"); !strings.Contains(text, id) || !strings.Contains(text, tx.first) {
		p.t.Errorf("the confirmation has neither %s nor %s:\n%s", id, tx.first, text)
	}
}
