package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"matriq/cmd/matriq/load/imap"
	loading "matriq/pkg/load"
)

// The gateways of matriq up.
const (
	localOTP      = "http://demo:demo@127.0.0.1:7002" //nolint:gosec // G101: what matriq up prints
	localRegister = "http://demo:demo@127.0.0.1:7001" //nolint:gosec // G101: what matriq up prints
)

// loadPlan is a plan with what it has opened.
type loadPlan struct {
	loading.Plan
	target string // for people: no password in it
	sites  []*loading.Site
	codes  func() // closes the mailbox
}

func (p *loadPlan) close() {
	for _, s := range p.sites {
		s.Close()
	}
	if p.codes != nil {
		p.codes()
	}
}

// prepare opens what the plan needs, and refuses to aim at a stranger.
func (f *loadFlags) prepare(ctx context.Context) (*loadPlan, error) {
	if f.plan == planREST {
		return f.prepareREST(ctx)
	}
	site, err := f.site(ctx, "--url", f.url)
	if err != nil {
		return nil, err
	}
	p := &loadPlan{target: place(site), sites: []*loading.Site{site}}
	if f.plan != planJourney {
		p.Plan = loading.Page{Site: site}
		return p, nil
	}
	people, codes, err := f.people(ctx, p)
	if err != nil {
		return nil, err
	}
	p.Plan = &loading.Journey{
		Site: site, People: people, Codes: codes, Mail: loading.Waiting{Within: f.mailWithin},
		Patience: loading.Patience(f.patience), Follow: f.follow,
	}
	return p, nil
}

func (f *loadFlags) prepareREST(ctx context.Context) (*loadPlan, error) {
	otp, err := f.gateway(ctx, "--otp-url", f.otp, "OTP_URL", localOTP)
	if err != nil {
		return nil, err
	}
	register, err := f.gateway(ctx, "--register-url", f.register, "REGISTER_URL", localRegister)
	if err != nil {
		return nil, err
	}
	p := &loadPlan{
		target: place(otp) + " and " + place(register),
		sites:  []*loading.Site{otp, register},
	}
	people, codes, err := f.people(ctx, p)
	if err != nil {
		return nil, err
	}
	p.Plan = &loading.REST{
		OTP: otp, Register: register, People: people, Codes: codes, Mail: loading.Waiting{Within: f.mailWithin},
		Patience: loading.Patience(f.patience), Follow: f.follow,
	}
	return p, nil
}

// place is where a site is, without its credentials.
func place(s *loading.Site) string { return s.URL.Scheme + "://" + s.URL.Host }

func (f *loadFlags) gateway(ctx context.Context, flagName, url, name, local string) (*loading.Site, error) {
	fallback, err := setting(name)
	if err != nil {
		return nil, err
	}
	site, err := f.site(ctx, flagName, cmp.Or(url, fallback, local))
	if err != nil {
		return nil, err
	}
	if site.URL.User == nil {
		return nil, fmt.Errorf("%s: the gateway asks for the client's name and password; write them into the URL, as http://name:password@host:port", flagName)
	}
	return site, nil
}

// site is one server, with how connections to it are used.
func (f *loadFlags) site(ctx context.Context, flagName, url string) (*loading.Site, error) {
	site, err := loading.NewSite(url)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flagName, err)
	}
	site.Timeout, site.Anywhere = f.timeout, f.anywhere
	site.Connections = f.connectionKind()
	if f.from != "" {
		site.From = netip.MustParsePrefix(f.from) // looked at with the other flags
	}
	if site.TLS, err = f.roots(); err != nil {
		return nil, err
	}
	if f.anywhere {
		return site, nil
	}
	return site, aimAtOwn(ctx, flagName, site.URL.Hostname())
}

func (f *loadFlags) connectionKind() loading.Connections {
	switch {
	case f.connections != "":
		return loading.Connections(f.connections)
	case f.plan == planJourney, f.plan == planArticle, f.from != "":
		return loading.PerVisit
	}
	return loading.Kept
}

// roots are the usual ones and that of --ca; nil: the usual ones.
func (f *loadFlags) roots() (*tls.Config, error) {
	if f.ca == "" {
		return nil, nil //nolint:nilnil // as documented
	}
	pem, err := os.ReadFile(filepath.Clean(f.ca))
	if err != nil {
		return nil, fmt.Errorf("--ca: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--ca %s: there is no certificate in it; it must be PEM", f.ca)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}, nil
}

// people opens the list and the mailbox.
func (f *loadFlags) people(ctx context.Context, p *loadPlan) (*loading.People, loading.Codes, error) {
	file, err := os.Open(filepath.Clean(f.emails))
	if err != nil {
		return nil, nil, fmt.Errorf("--emails: %w", err)
	}
	defer file.Close()
	people, err := loading.ReadPeople(file)
	if err != nil {
		return nil, nil, fmt.Errorf("--emails %s: %w", f.emails, err)
	}
	if f.skip >= people.Len() {
		return nil, nil, fmt.Errorf("--skip %d: the file has %d addresses; nobody is left to come", f.skip, people.Len())
	}
	people.Skip(f.skip)
	codes, err := f.codes(ctx, p)
	return people, codes, err
}

// codes opens the mailbox.
func (f *loadFlags) codes(ctx context.Context, p *loadPlan) (loading.Codes, error) {
	switch {
	case f.imap != "":
		password, err := setting("IMAP_PASSWORD")
		if err != nil {
			return nil, err
		}
		box, err := imap.Open(ctx, f.imap, password)
		if err != nil {
			return nil, fmt.Errorf("--imap: %w", err)
		}
		p.codes = func() { _ = box.Close() } // it was only read
		return box, nil
	case f.mailbox != "":
		box, err := loading.NewJSONMailbox(f.mailbox)
		if err != nil {
			return nil, fmt.Errorf("--mailbox: %w", err)
		}
		p.codes = box.Close
		return box, nil
	}
	box, err := loading.NewInbox(f.inbox)
	if err != nil {
		return nil, fmt.Errorf("--inbox: %w", err)
	}
	p.codes = box.Close
	if _, err := box.Code(ctx, "nobody@example.ac.th", ""); err != nil {
		return nil, errors.Join(fmt.Errorf("--inbox %s: %w", f.inbox, err), errors.New(strings.TrimSpace(noInbox)))
	}
	return box, nil
}

const noInbox = `Codes are read in a mailbox: start matriq up or matriq inbox, or name what has the
mails with --inbox, --mailbox or --imap.`
