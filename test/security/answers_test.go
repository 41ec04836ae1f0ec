package security_test

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// told is what an answer tells a stranger, without what differs for everybody.
type told struct {
	// text is status, header and body, with names in place of what was drawn.
	text string
	// seconds are the times that are in it, by where they are. They pass, so that
	// they cannot be compared letter by letter.
	seconds map[string]float64
}

// What differs from answer to answer whoever is asked about.
var (
	anyRef     = regexp.MustCompile(`("ref":"|translate="no">|hint_ref">|begins with |reference )[A-Z]{3}\b`)
	anyJourney = regexp.MustCompile(`name="journey" value="[^"]*"|"request_id":"[^"]*"|<code>[^<]*</code>`)
	anyCookie  = regexp.MustCompile(`sid=[^;]+`)
	anyWait    = regexp.MustCompile(`"(retry_after|expires_in|resend_after)":[0-9]+|data-countdown="[0-9]+"|[0-9]+ (second|minute|hour)s?`)
)

// tells reads an answer about an address.
func tells(email string, status int, header http.Header, body string) told {
	a := told{seconds: map[string]float64{}}
	body = strings.ReplaceAll(body, email, "ADDRESS")
	body = anyRef.ReplaceAllString(body, "${1}REF")
	body = anyJourney.ReplaceAllString(body, "JOURNEY")
	body = anyWait.ReplaceAllStringFunc(body, func(text string) string {
		a.seconds[fmt.Sprintf("wait %d", len(a.seconds)+1)] = secondsOf(text)
		return "WAIT"
	})
	var head []string
	for _, name := range slices.Sorted(maps.Keys(header)) {
		value := strings.Join(header[name], " / ")
		switch name {
		case "Date", "X-Request-Id", "X-Served-By":
			value = ""
		case "Set-Cookie": // how long it is stays
			value = anyCookie.ReplaceAllStringFunc(value, func(cookie string) string { return fmt.Sprintf("%d letters", len(cookie)) })
		case "Retry-After":
			a.seconds[name], value = secondsOf(value), "WAIT"
		case "Content-Length": // of the body, which is compared itself
			value = ""
		}
		head = append(head, name+": "+value)
	}
	a.text = fmt.Sprintf("%d\n%s\n%s", status, strings.Join(head, "\n"), body)
	return a
}

var digits = regexp.MustCompile(`[0-9]+`)

// secondsOf reads a time in any of the ways in which answers say one.
func secondsOf(text string) float64 {
	n, err := strconv.ParseFloat(digits.FindString(text), 64)
	switch {
	case err != nil:
		return -1
	case strings.Contains(text, "minute"):
		return n * 60
	case strings.Contains(text, "hour"):
		return n * 3600
	}
	return n
}
