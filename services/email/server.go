package email

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"matriq/pkg/service"
)

// SMTPConfig says how mails leave.
type SMTPConfig struct {
	URL         string        `env:"SMTP_URL,required" secret:"true" desc:"mail server: smtp://user:password@host:587?tls=starttls, also none and implicit; ca=FILE trusts a certificate of your own"`
	Connections int           `env:"SMTP_CONNECTIONS" envDefault:"16" desc:"connections to the mail server at a time, and so mails under way"`
	Idle        time.Duration `env:"SMTP_IDLE" envDefault:"30s" desc:"how long a connection is kept open for the next mail"`
}

func (c SMTPConfig) faults() []error {
	var faults []error
	server, err := parseServer(c.URL)
	switch {
	case c.URL == "": // told as missing
	case err != nil:
		faults = append(faults, service.Fault{Setting: "SMTP_URL", Problem: err.Error(), Cure: "write smtp://user:password@host:587?tls=starttls"})
	case server.user != "":
		faults = append(faults, service.WeakPassword("SMTP_URL", server.host, server.user, server.password)...)
	}
	if c.Connections < 1 {
		faults = append(faults, service.Fault{Setting: "SMTP_CONNECTIONS", Problem: "is less than 1", Cure: "write a whole number such as 16"})
	}
	if c.Idle < time.Second {
		faults = append(faults, service.Fault{Setting: "SMTP_IDLE", Problem: "is less than a second", Cure: "write a duration such as 30s"})
	}
	return faults
}

// encryption is how a connection to the mail server is protected.
type encryption string

const (
	plaintext encryption = "none"     // port 25
	startTLS  encryption = "starttls" // port 587; never without TLS
	implicit  encryption = "implicit" // port 465
)

// mailServer is SMTP_URL in parts.
type mailServer struct {
	host           string
	port           int
	user, password string
	encryption     encryption
	tls            *tls.Config
}

// parseServer reads SMTP_URL. Its errors do not repeat it.
func parseServer(raw string) (mailServer, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "smtp" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" {
		return mailServer{}, errors.New("is no URL of a mail server")
	}
	s := mailServer{host: u.Hostname(), user: u.User.Username()}
	s.password, _ = u.User.Password()
	if err := s.readQuery(u.Query()); err != nil {
		return mailServer{}, err
	}
	if s.port, err = s.readPort(u.Port()); err != nil {
		return mailServer{}, err
	}
	if s.encryption == plaintext && s.user != "" && !isLoopback(s.host) {
		return mailServer{}, errors.New("sends a password without TLS to another host")
	}
	return s, nil
}

func (s *mailServer) readQuery(query url.Values) error {
	for name := range query {
		if name != "tls" && name != "ca" {
			return fmt.Errorf("has the unknown parameter %q", name)
		}
	}
	switch s.encryption = encryption(query.Get("tls")); s.encryption {
	case "":
		s.encryption = startTLS
	case plaintext, startTLS, implicit:
	default:
		return errors.New("has a tls that is none of starttls, implicit and none")
	}
	s.tls = &tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12}
	if file := query.Get("ca"); file != "" {
		roots, err := readRoots(file)
		if err != nil {
			return err
		}
		s.tls.RootCAs = roots
	}
	return nil
}

func (s *mailServer) readPort(port string) (int, error) {
	if port == "" {
		return map[encryption]int{plaintext: 25, startTLS: 587, implicit: 465}[s.encryption], nil
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 1 || n > 65535 {
		return 0, errors.New("has a port that is not 1 to 65535")
	}
	return n, nil
}

// readRoots returns the certificates of file beside those of the system.
func readRoots(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file) //nolint:gosec // G304: the operator names the file
	if err != nil {
		return nil, fmt.Errorf("names a ca that cannot be read: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("names a ca without a certificate in PEM form")
	}
	return roots, nil
}

// isLoopback is true for a host name that can only mean this machine.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
