package load

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
)

// jar keeps cookies, and notes how they were given. A browser uses it, which sends
// one request at a time.
type jar struct {
	*cookiejar.Jar
	given []*http.Cookie
}

func newJar() *jar {
	kept, _ := cookiejar.New(nil) // its error is always nil
	return &jar{Jar: kept}
}

// SetCookies implements [http.CookieJar].
func (j *jar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.given = append(j.given, cookies...)
	j.Jar.SetCookies(u, cookies)
}
