// Package imap finds codes in an IMAP mailbox that gets the mails of all
// addresses, such as one that catches all of a test domain.
//
// Whoever asks for a code has the new mails of all fetched, at most four times a
// second whatever the number who ask, over one connection; what is found is kept
// for those who ask later. Mails from before [Open] are not looked at, none is
// changed, and none is marked as read.
//
// Not promised: mails in a form other than text. A mail whose text is longer than
// 64 KiB is read up to there.
package imap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"matriq/pkg/load"
)

const (
	// fetchEach is how often new mails are fetched.
	fetchEach = 250 * time.Millisecond
	// commandTimeout bounds one fetch.
	commandTimeout = 20 * time.Second
	// mostKept bounds how many mails are remembered.
	mostKept = 100_000
)

// Mailbox is a mailbox that is open for reading.
type Mailbox struct {
	url      *url.URL
	password string

	mu      sync.Mutex
	conn    *imapclient.Client // nil: to be dialed
	next    imap.UID           // of the first mail that was not fetched
	fetched time.Time
	texts   map[string][]string // of the mails, by address, oldest first
	order   []string            // whose mails came, oldest first
}

var _ load.Codes = (*Mailbox)(nil)

// Open logs in and looks where the mailbox ends. The URL is imap:// or imaps://,
// with the user, and the mailbox as its path; INBOX if there is none. With imap://
// the connection is encrypted by STARTTLS, but for loopback addresses.
func Open(ctx context.Context, rawURL, password string) (*Mailbox, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, errors.New("not a URL such as imaps://user@host:993/INBOX")
	}
	if u.Scheme != "imap" && u.Scheme != "imaps" || u.Hostname() == "" || u.User.Username() == "" {
		return nil, fmt.Errorf("%s is not a URL such as imaps://user@host:993/INBOX", u.Redacted())
	}
	if inURL, ok := u.User.Password(); ok {
		password = inURL
	}
	m := &Mailbox{url: u, password: password, texts: map[string][]string{}}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m, m.dial(ctx)
}

// Close logs out.
func (m *Mailbox) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conn == nil {
		return nil
	}
	return m.conn.Close()
}

// Code implements [load.Codes].
func (m *Mailbox) Code(ctx context.Context, address, ref string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if code := m.find(address, ref); code != "" {
		return code, nil
	}
	if time.Since(m.fetched) < fetchEach {
		return "", nil
	}
	m.fetched = time.Now()
	if err := m.fetch(ctx); err != nil {
		m.hangUp()
		return "", err
	}
	return m.find(address, ref), nil
}

// find looks at what was fetched, the newest first.
func (m *Mailbox) find(address, ref string) string {
	for _, text := range slices.Backward(m.texts[strings.ToLower(address)]) {
		if code := load.FindCode(text); code != "" && strings.Contains(text, ref) {
			return code
		}
	}
	return ""
}

// fetch reads the mails that have come.
func (m *Mailbox) fetch(ctx context.Context) error {
	if m.conn == nil {
		if err := m.dial(ctx); err != nil {
			return err
		}
	}
	defer m.bound(ctx)()
	if err := m.conn.Noop().Wait(); err != nil { // some servers tell of new mails only then
		return fmt.Errorf("NOOP: %w", err)
	}
	section := &imap.FetchItemBodySection{Peek: true, Partial: &imap.SectionPartial{Size: mostText}}
	found, err := m.conn.Fetch(imap.UIDSet{{Start: m.next}}, &imap.FetchOptions{
		UID: true, BodySection: []*imap.FetchItemBodySection{section},
	}).Collect()
	if err != nil {
		return fmt.Errorf("FETCH: %w", err)
	}
	for _, f := range found {
		if f.UID < m.next { // "n:*" has the last mail, also when it is older
			continue
		}
		m.next = f.UID + 1
		m.keep(f.FindBodySection(section))
	}
	return nil
}

// bound ends the connection when ctx ends or a command takes too long.
func (m *Mailbox) bound(ctx context.Context) (done func()) {
	conn := m.conn
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // what waits for it is told
	return func() {
		stop()
		cancel()
	}
}

func (m *Mailbox) keep(raw []byte) {
	addresses, text := read(raw)
	for _, address := range addresses {
		m.texts[address] = append(m.texts[address], text)
		m.order = append(m.order, address)
	}
	for len(m.order) > mostKept {
		oldest := m.order[0]
		m.order = m.order[1:]
		if m.texts[oldest] = m.texts[oldest][1:]; len(m.texts[oldest]) == 0 {
			delete(m.texts, oldest)
		}
	}
}

func (m *Mailbox) hangUp() {
	if m.conn != nil {
		_ = m.conn.Close() // it has failed already
		m.conn = nil
	}
}

// dial logs in and opens the mailbox for reading.
func (m *Mailbox) dial(ctx context.Context) error {
	conn, err := m.connect(ctx)
	if err != nil {
		return err
	}
	m.conn = conn
	defer m.bound(ctx)()
	if err := conn.Login(m.url.User.Username(), m.password).Wait(); err != nil {
		m.hangUp()
		return fmt.Errorf("log in as %s: %w", m.url.User.Username(), err)
	}
	name := strings.Trim(m.url.Path, "/")
	if name == "" {
		name = "INBOX"
	}
	selected, err := conn.Select(name, &imap.SelectOptions{ReadOnly: true}).Wait()
	if err != nil {
		m.hangUp()
		return fmt.Errorf("open %s: %w", name, err)
	}
	if m.next == 0 {
		m.next = selected.UIDNext
	}
	return nil
}

func (m *Mailbox) connect(ctx context.Context) (*imapclient.Client, error) {
	port := m.url.Port()
	if port == "" {
		port = map[string]string{"imap": "143", "imaps": "993"}[m.url.Scheme]
	}
	address := net.JoinHostPort(m.url.Hostname(), port)
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	encrypted := &tls.Config{ServerName: m.url.Hostname(), MinVersion: tls.VersionTLS12}
	switch {
	case m.url.Scheme == "imaps":
		return imapclient.New(tls.Client(raw, encrypted), nil), nil
	case isLoopback(raw.RemoteAddr()):
		return imapclient.New(raw, nil), nil
	}
	return imapclient.NewStartTLS(raw, &imapclient.Options{TLSConfig: encrypted})
}

func isLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
