package main

import (
	"fmt"

	"matriq/cmd/matriq/load/report"
	loading "matriq/pkg/load"
)

// tooLate is a lag for which the generator, not the site, is to blame, in
// milliseconds.
const tooLate = 50

// advice tells what the errors of a run may come from, and what helps.
func advice(r *loading.Result) []string {
	var lines []string
	known := map[loading.Kind]string{
		loading.KindRefused: "refused: nothing listens at the URL, or its queue of connections is full. Does it run?",
		loading.KindNotSent: "not_sent: visits do not get through as fast as they come. This is more than the site can bear; with a greater --most they wait instead.",
		loading.KindNoMail:  "no_mail: the addresses must be listed (matriq import) and not be registered; --skip leaves out those of a run before. Do the mails arrive where --inbox, --mailbox or --imap looks?",
		loading.KindMailbox: "mailbox: the mails cannot be read. It is the test's fault, not the site's.",
		loading.KindWrong:   "wrong_page: the site answered, but not with the next step: an address that is not listed, a limit, or no registration at all at this URL.",
		loading.KindFar:     "far: the name led to an address that is neither loopback nor private; see --i-may-load-it.",
		loading.KindTLS:     "tls: if the certificate is one of your own, name it with --ca.",
		"status_429":        "status_429: the limits on one source hold (SOURCE_LIMIT of otp). Use --from, or set SOURCE_ALLOW to the network that the load comes from.",
		"status_401":        "status_401: the gateway does not know this client: name and password are in its API_CLIENTS.",
		"status_403":        "status_403: the client lacks the scope for this call, see API_CLIENTS.",
		"status_421":        "status_421: the host in the URL is not the site's: use the one of PUBLIC_ORIGIN, or set ALLOWED_HOSTS.",
	}
	for _, e := range r.Errors {
		if line, ok := known[e.Kind]; ok {
			lines = append(lines, line)
		}
	}
	if r.Lag.P99 > tooLate {
		lines = append(lines, fmt.Sprintf("Visits began up to %s late, which is the generator's own fault and is counted in their times: it lacks processors. Run it elsewhere, or with a lower rate.", report.Milliseconds(r.Lag.P99)))
	}
	return lines
}
