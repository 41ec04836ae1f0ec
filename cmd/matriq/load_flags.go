package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	loading "matriq/pkg/load"
)

// Plans of matriq load.
const (
	planPage    = "page"
	planJourney = "journey"
	planREST    = "rest"
	planArticle = "article"
)

// loadFlags are the flags of matriq load.
type loadFlags struct {
	plan                          string
	url, otp, register, ca        string
	rate                          float64
	users, most                   int
	duration, finish              time.Duration
	emails                        string
	skip                          int
	inbox, mailbox, imap          string
	mailWithin, patience, timeout time.Duration
	follow                        bool
	connections, from             string
	anywhere                      bool
	maxP99, maxVisit              time.Duration
	maxErrors, maxLater           share
	minDone                       float64
	report, json                  string
}

func loadFlagSet(std stdio) (*flag.FlagSet, *loadFlags) {
	flags := newFlags("load [flags]", loadAbout, std)
	f := &loadFlags{maxErrors: noShare, maxLater: noShare}
	flags.StringVar(&f.plan, "plan", planPage, "what a visit does: `PLAN` is page, journey, rest or article")
	flags.StringVar(&f.url, "url", "http://127.0.0.1:8080", "`URL` of the pages")
	flags.StringVar(&f.otp, "otp-url", "", "`URL` of the otp-gateway for --plan rest, with the client's name and password; or set OTP_URL or OTP_URL_FILE, which keeps the password off the command line; that of matriq up if both are empty")
	flags.StringVar(&f.register, "register-url", "", "`URL` of the register-gateway; or set REGISTER_URL or REGISTER_URL_FILE")
	flags.StringVar(&f.ca, "ca", "", "`FILE` with a certificate of your own that is trusted besides the usual ones")
	flags.Float64Var(&f.rate, "rate", 0, "`N` visits begin in a second, whatever becomes of those before; 10 if neither this nor --users is given")
	flags.IntVar(&f.users, "users", 0, "`N` people make one visit after the other")
	flags.DurationVar(&f.duration, "for", time.Minute, "`TIME` for which visits begin")
	flags.IntVar(&f.most, "most", loading.DefaultMost, "at most `N` visits are under way with --rate; those for which there is no place are not made and count as failed")
	flags.DurationVar(&f.finish, "finish", loading.DefaultFinish, "`TIME` that visits under way have when no more begin")
	flags.StringVar(&f.emails, "emails", "", "`FILE` of addresses for journey and rest, one a line or CSV with a column email; each comes once")
	flags.IntVar(&f.skip, "skip", 0, "the first `N` addresses do not come: they came in a run before")
	flags.StringVar(&f.inbox, "inbox", "http://127.0.0.1:8025", "`URL` of the inbox of matriq up or matriq inbox, where codes are read")
	flags.StringVar(&f.mailbox, "mailbox", "", "`URL` that answers mails as JSON, newest first, for {address}: http://127.0.0.1:8026/mails?to={address}; instead of --inbox")
	flags.StringVar(&f.imap, "imap", "", "`URL` of an IMAP mailbox that gets the mails of all addresses: imaps://user@host:993/INBOX; its password in IMAP_PASSWORD or IMAP_PASSWORD_FILE; instead of --inbox")
	flags.DurationVar(&f.mailWithin, "mail-within", time.Minute, "`TIME` that a mail with a code may take")
	flags.DurationVar(&f.patience, "patience", 0, "`TIME` for which people come again when an answer tells them when to; 0: they go")
	flags.BoolVar(&f.follow, "follow", false, "a visit ends when the registration is enrolled and confirmed, not when it has its number")
	flags.DurationVar(&f.timeout, "timeout", loading.DefaultTimeout, "`TIME` that an answer may take")
	flags.StringVar(&f.connections, "connections", "", "`KIND` of connections: kept open and shared by all visits, of a visit, or of a request; visit for journey and article, kept for page and rest")
	flags.StringVar(&f.from, "from", "", "`NETWORK` of this machine from whose addresses visits come in turn: 127.1.0.0/16")
	flags.BoolVar(&f.anywhere, "i-may-load-it", false, "I run what is at the URL, or have the word of who does: allows addresses that are neither loopback nor private")
	flags.DurationVar(&f.maxP99, "max-p99", 0, "fail if 1 % of the answers took longer than `TIME`")
	flags.DurationVar(&f.maxVisit, "max-visit-p99", 0, "fail if 1 % of the visits took longer than `TIME`, waiting for mails included")
	flags.Var(&f.maxErrors, "max-errors", "fail if more than `SHARE` of the visits failed, such as 0.5%; 0 allows none")
	flags.Var(&f.maxLater, "max-later", "fail if more than `SHARE` of the visits were turned away with 503 and Retry-After, such as 10%")
	flags.Float64Var(&f.minDone, "min-done", 0, "fail if less than `N` visits a second were done")
	flags.StringVar(&f.report, "report", "", "write the report with its plots to `FILE`, one HTML page")
	flags.StringVar(&f.json, "json", "", "write the numbers to `FILE`; docs/load.md describes them")
	return flags, f
}

// given are the flags that are on the command line.
func given(flags *flag.FlagSet) map[string]bool {
	set := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { set[f.Name] = true })
	return set
}

// registers tells whether the visits register people.
func (f *loadFlags) registers() bool { return f.plan == planJourney || f.plan == planREST }

// faults tells everything that is wrong with the flags, and what to write.
func (f *loadFlags) faults(given map[string]bool) []string {
	var faults []string
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Sprintf(format, args...))
		}
	}
	plans := []string{planPage, planJourney, planREST, planArticle}
	refuse(!slices.Contains(plans, f.plan), "--plan %s: write one of %s", f.plan, strings.Join(plans, ", "))
	refuse(given["rate"] && given["users"], "--rate and --users: give one of them; --rate is for people who come by themselves")
	refuse(given["rate"] && (f.rate <= 0 || f.rate > 1e6), "--rate %g: write how many visits begin in a second, such as 50 or 0.5", f.rate)
	refuse(given["users"] && f.users <= 0, "--users %d: write how many people make visits at a time, such as 100", f.users)
	refuse(f.duration <= 0, "--for %v: write a time such as 60s or 5m", f.duration)
	refuse(f.most <= 0, "--most %d: write a number above 0", f.most)
	refuse(f.skip < 0, "--skip %d: write a number, 0 for none", f.skip)
	refuse(f.timeout <= 0, "--timeout %v: write a time such as 10s", f.timeout)
	refuse(f.mailWithin <= 0, "--mail-within %v: write a time such as 60s", f.mailWithin)
	refuse(f.finish <= 0, "--finish %v: write a time such as 30s", f.finish)
	for _, flag := range []string{"rate", "users", "for"} {
		refuse(f.plan == planArticle && given[flag], "--%s: the article's test has its own groups and times; leave it out", flag)
	}
	refuse(f.registers() && f.emails == "", "--emails: whoever registers needs an address; name a file of addresses that are listed (see --help)")
	refuse(!f.registers() && f.emails != "", "--emails: with --plan %s nobody registers; leave it out or write --plan journey", f.plan)
	refuse(f.plan != planREST && (f.otp != "" || f.register != ""), "--otp-url and --register-url are for --plan rest")
	refuse(f.plan == planREST && given["url"], "--url is where the pages are; for --plan rest write --otp-url and --register-url")
	refuse(count(given["inbox"], given["mailbox"], given["imap"]) > 1, "--inbox, --mailbox and --imap: codes are read in one place; give one of them")
	return append(faults, f.connectionFaults()...)
}

func (f *loadFlags) connectionFaults() []string {
	var faults []string
	kinds := []string{"", string(loading.Kept), string(loading.PerVisit), string(loading.PerRequest)}
	if !slices.Contains(kinds, f.connections) {
		faults = append(faults, fmt.Sprintf("--connections %s: write kept, visit or request", f.connections))
	}
	if f.from == "" {
		return faults
	}
	if _, err := netip.ParsePrefix(f.from); err != nil {
		faults = append(faults, fmt.Sprintf("--from %s: write a network such as 127.1.0.0/16", f.from))
	}
	if f.connections == string(loading.Kept) {
		faults = append(faults, "--from and --connections kept: a connection comes from one address; write --connections visit")
	}
	return faults
}

func count(set ...bool) (n int) {
	for _, s := range set {
		if s {
			n++
		}
	}
	return n
}

// tell prints the faults; true: there is none.
func (*loadFlags) tell(w io.Writer, faults []string) bool {
	for _, fault := range faults {
		fmt.Fprintln(w, "matriq load:", fault)
	}
	return len(faults) == 0
}

// options are what the generator is told.
func (f *loadFlags) options() loading.Options {
	o := loading.Options{Rate: f.rate, Users: f.users, For: f.duration, Most: f.most, Finish: f.finish}
	switch {
	case f.plan == planArticle:
		o.Groups, o.For = loading.ArticleGroups(), 0
	case f.rate == 0 && f.users == 0:
		o.Rate = defaultRate
	}
	return o
}

// defaultRate is gentle.
const defaultRate = 10

// share is a part of all, from 0 to 1.
type share float64

// noShare is a limit that was not set.
const noShare share = -1

// String implements [flag.Value].
func (s *share) String() string {
	if s == nil || *s < 0 {
		return ""
	}
	return strconv.FormatFloat(float64(*s)*100, 'g', 4, 64) + "%"
}

// Set implements [flag.Value].
func (s *share) Set(text string) error {
	number, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || n < 0 || n > 100 || !percent && n != 0 {
		return errors.New("write a share in percent, such as 0.5%, or 0 for none at all")
	}
	*s = share(n / 100)
	return nil
}
