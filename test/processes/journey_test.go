package processes_test

import (
	"strings"
	"testing"

	"matriq/pkg/mailsink"
	"matriq/test/harness"
)

// The published system's bodies make a registration, with and without the
// trailing slash, and it is found in both databases and the mailbox.
func TestJourney_REST(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, 1)
	for name, slash := range map[string]string{"plain": "", "trailing slash": "/"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			who := strings.ReplaceAll(name, " ", ".") + "@example.ac.th"
			g := s.Gateways()
			post := func(base, path, body string) string {
				a := g.Post(t, base+path+slash, "application/json", strings.NewReader(body))
				if a.Status != 200 {
					t.Fatalf("POST %s%s: %d %s", path, slash, a.Status, a.Body)
				}
				return strings.TrimSpace(string(a.Body))
			}
			if got, want := post(g.OTP, "/create_email_list", `{"emails":["`+who+`"]}`), `"results":1`; !strings.Contains(got, want) {
				t.Fatalf("create_email_list: %s, want %s in it", got, want)
			}
			asked := post(g.OTP, "/getotp", `{"email":"`+who+`"}`)
			if !strings.Contains(asked, `"results":"1"`) {
				t.Fatalf("getotp: %s", asked)
			}
			code := s.Code(t, who, "")
			if got, want := post(g.OTP, "/authen", `{"email":"`+who+`","otp":"`+code+`"}`), `{"results":1,"proof":"`; !strings.HasPrefix(got, want) {
				t.Fatalf("authen: %s, want %s at its begin", got, want)
			}
			registered := post(g.Register, "/register", `{"firstname":"มาลี","lastname":"ใจดี","email":"`+who+`"}`)
			if !strings.HasPrefix(registered, `{"results":"registered","studentID":69`) {
				t.Fatalf("register: %s", registered)
			}
			s.WaitComplete(t, who, "มาลี", "ใจดี")
		})
	}
}

// A person registers on the pages while the replicas that serve her are killed
// and replaced between the code and the names.
func TestJourney_ReplicasReplaced(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, 2)
	for language, texts := range map[string]struct{ lang, subject string }{ //nolint:paralleltest // each kills what the other needs
		"th": {lang: "th", subject: "ลงทะเบียน"},
		"en": {lang: "en", subject: "registered"},
	} {
		t.Run(language, func(t *testing.T) {
			who := language + ".replaced@example.ac.th"
			s.Gateways().Import(t, who)
			person := harness.NewPerson(t, s.UI.URL, language)
			page := person.Open(t, "/").Submit(t, map[string]string{"email": who})
			page.Has(t, "/authen")
			code := s.Code(t, who, "")

			s.Replace(t, "ui", 0)
			s.Replace(t, "otp", 0)
			page = page.Submit(t, map[string]string{"otp": code})
			page.Has(t, "/reg")
			s.Replace(t, "ui", 0)
			s.Replace(t, "otp", 0)

			page = page.Submit(t, map[string]string{"firstname": "Malee", "lastname": "Jaidee"})
			page.Has(t, "/done", "Malee", "690000")
			if page.Language() != texts.lang {
				t.Errorf("page is in %q, want %q", page.Language(), texts.lang)
			}
			s.WaitComplete(t, who, "Malee", "Jaidee")
			s.WaitMail(t, "confirmation in "+texts.lang, func(m mailsink.Message) bool {
				return m.To == who && m.Lang == texts.lang && strings.Contains(m.Subject, texts.subject)
			})
		})
	}
}
