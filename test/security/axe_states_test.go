package security_test

import (
	"encoding/json"
	"html"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// everywhere goes through all pages in the states to which a person may come.
func everywhere(r *reader) {
	email := r.s.listed(r.t)
	r.opens("/")
	r.finds("the first page", "/")
	r.opens("/?ended")
	r.finds("the end of a session", "/")
	r.submits("#email", "no address")
	r.finds("a bad address", "/start")
	r.submits("#email", r.s.address())
	r.finds("an address that is not listed", "/start")
	r.submits("#email", email)
	r.finds("the code", "/authen")
	r.code(email)
	r.names()
	r.exhausted()
	r.limits()
	r.problems()
}

// code goes through the page of the code, to the names.
func (r *reader) code(email string) {
	r.t.Helper()
	r.sends("/resend", "")
	r.finds("another code too soon", "/authen")
	r.s.pass(r.t, email, 2*time.Minute)
	r.sends("/resend", "")
	r.finds("another code", "/authen")
	ref, err := r.b.Eval(`document.querySelector(".ref").textContent`)
	r.must(err)
	r.submits("#otp", "no code")
	r.finds("a malformed code", "/authen")
	code := r.s.Code(r.t, email, strings.Trim(string(ref), `"`))
	r.submits("#otp", wrong(code))
	r.finds("a wrong code", "/authen")
	r.sends("/authen", `document.querySelector("[name=journey]").value = "another"`)
	r.finds("a form of another window", "/authen")
	r.opens("/start")
	r.finds("the address again", "/start")
	r.submits("#email", email)
	r.finds("a code of before", "/authen")
	r.submits("#otp", code)
	r.finds("the names", "/reg")
}

// names goes through the pages of the names and of the number.
func (r *reader) names() {
	r.t.Helper()
	r.submits("#lastname", "")
	r.finds("no names", "/reg")
	r.must(r.b.Type("#firstname", "1"))
	r.submits("#lastname", "www.evil.com")
	r.finds("bad names", "/reg")
	r.must(r.b.Type("#firstname", "Malee"))
	r.submits("#lastname", "Jaidee")
	r.finds("the student ID", "/done")
	r.must(r.b.Wait(`document.querySelector("#progress[data-complete]") !== null`))
	r.finds("all done", "/done")

	slow := r.s.listed(r.t)
	r.asks(slow)
	r.submits("#otp", r.s.newest(r.t, slow))
	r.must(r.s.redis.Del(r.t.Context(), "otp:verified:"+slow).Err())
	r.must(r.b.Type("#firstname", "Malee"))
	r.submits("#lastname", "Jaidee")
	r.finds("proved too long ago", "/start")
}

// exhausted looks at codes that are no more.
func (r *reader) exhausted() {
	r.t.Helper()
	email := r.s.listed(r.t)
	r.asks(email)
	for range 5 {
		r.submits("#otp", "0000000")
	}
	r.finds("a code that is used up", "/authen")
	r.ages(email)
	r.opens("/authen")
	r.finds("a code whose time is over", "/authen")
	r.submits("#otp", "0000000")
	r.finds("a guess when its time is over", "/authen")
}

// limits looks at what an address is told that has asked, or guessed, too often.
func (r *reader) limits() {
	r.t.Helper()
	asked := r.s.listed(r.t)
	r.s.client().mustAsk(r.t, asked)
	r.asks(asked)
	r.finds("a code that another browser has asked for", "/authen")

	now := r.s.clock(r.t)
	for what, past := range map[string]struct {
		key   string
		times int
		ago   time.Duration
	}{"asked for too often": {"otp:asked:", 5, 30 * time.Minute}, "locked": {"otp:failed:", 20, time.Hour}} {
		email := r.s.listed(r.t)
		r.must(r.s.redis.RPush(r.t.Context(), past.key+email, slices.Repeat([]any{now.Add(-past.ago).UnixMilli()}, past.times)...).Err())
		r.asks(email)
		r.finds("an address that is "+what, "/start")
	}
}

// problems looks at pages that tell why there is no other.
func (r *reader) problems() {
	r.t.Helper()
	r.opens("/no/such/page")
	r.finds("no such page", "/no/such/page")
	r.opens("/resend")
	r.finds("a method that is not there", "/resend")
	r.opens("/")
	r.sends("/", `document.querySelector("form").enctype = "text/plain"`)
	r.finds("a form that cannot be read", "/")
	r.opens("/")
	r.sends("/", `document.querySelector("#email").value = "a".repeat(5000)`)
	r.finds("a form that is too long", "/")
	r.must(r.b.Open("data:text/html," + url.PathEscape(`<form method="post" action="`+r.s.UI.URL+`/"><button>`)))
	r.must(r.b.ClickToPage("button"))
	r.finds("a form of another site", "/")
	r.must(r.b.Open(r.elsewhere.UI.URL + "/"))
	r.finds("another host", "/")
	r.must(r.b.Open("http://" + r.edge.Pages + "/start"))
	r.finds("the edge's own page", "/start")
}

// withoutGateways looks at the page that asks for patience and keeps a form.
func withoutGateways(r *reader) {
	r.must(r.b.Open(r.alone.UI.URL + "/?lang=" + r.language))
	r.submits("#email", "a@example.ac.th")
	r.finds("the page that asks for patience", "/")
}

// withoutStore looks at the one that has nothing to keep.
func withoutStore(r *reader) {
	r.store.Stop()
	r.must(r.b.Open(r.alone.UI.URL + "/?lang=" + r.language))
	r.runs(`document.cookie = "sid=none; path=/"`)
	r.must(r.b.Open(r.alone.UI.URL + "/start?lang=" + r.language))
	r.finds("the page that asks for patience, without a form", "/start")
}

// limited looks at what everybody of one network is told that has asked too often.
func limited(r *reader) {
	now := r.s.clock(r.t).UnixMilli()
	r.must(r.s.redis.RPush(r.t.Context(), "otp:source:127.0.0.1/32", slices.Repeat([]any{now}, limit)...).Err())
	r.asks(r.s.listed(r.t))
	r.finds("a network that has asked too often", "/start")
}

// neverSeen are texts of pages that nobody can be led to, each with the reason.
func neverSeen() map[string]string {
	const ours = "a failure of ours, which no request provokes; the page is that of the other problems"
	return map[string]string{
		"problem.internal.title": ours, "problem.internal.text": ours,
	}
}

var placeholder = regexp.MustCompile(`\\\{[a-z_]+\\\}`)

// wantAllTexts fails the test unless every text of the pages was on one that was
// looked at, in both languages.
func (a *audit) wantAllTexts(t *testing.T) {
	t.Helper()
	pages := map[string]string{}
	for _, r := range a.texts.all() {
		pages[r.where] += html.UnescapeString(r.text) + "\n"
	}
	for _, language := range []string{"th", "en"} {
		data, err := os.ReadFile("../../services/ui/messages/" + language + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var messages map[string]string
		if err := json.Unmarshal(data, &messages); err != nil {
			t.Fatal(err)
		}
		for key, text := range messages {
			if _, ok := neverSeen()[key]; ok {
				continue
			}
			pattern := placeholder.ReplaceAllString(regexp.QuoteMeta(strings.TrimSpace(text)), ".*?")
			if !regexp.MustCompile(pattern).MatchString(pages[language]) {
				t.Errorf("%s: no page that was looked at has %s: %q", language, key, text)
			}
		}
	}
}
