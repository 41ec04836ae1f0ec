package rest

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"matriq/pkg/service"
)

// Scopes of clients.
const (
	ScopeOTP      = "otp"
	ScopeRegister = "register"
	ScopeImport   = "import"
)

// minPassword is how many characters a client's password has at least. It is a
// machine's secret: nobody has to remember it.
const minPassword = 12

// maxName is how long a client's name may be: it is part of every key that the
// client gives to a request.
const maxName = 64

// Clients are the programs that may call, with what each may do. Passwords are
// kept as hashes. It is read from API_CLIENTS; what is wrong there is told by
// the number of the entry, never by its content.
type Clients struct {
	list      []client
	malformed []string
}

type client struct {
	entry    int
	id       string
	name     [sha256.Size]byte
	password [sha256.Size]byte
	scopes   []string
	weakness string
}

// UnmarshalText reads name:password:scope+scope, several by comma or newline. It
// never fails, since the error would quote the secret: faults are kept for
// [Config.Faults].
func (c *Clients) UnmarshalText(text []byte) error {
	*c = Clients{}
	entries := strings.FieldsFunc(string(text), func(r rune) bool { return r == ',' || r == '\n' || r == '\r' })
	for i, entry := range entries {
		if fault := c.add(i+1, strings.TrimSpace(entry)); fault != "" {
			c.malformed = append(c.malformed, fmt.Sprintf("has a fault in entry %d: %s", i+1, fault))
		}
	}
	return nil
}

// String keeps passwords out of logs and errors.
func (c Clients) String() string { return fmt.Sprintf("%d clients", len(c.list)) }

// LogValue implements [slog.LogValuer].
func (c Clients) LogValue() slog.Value { return slog.StringValue(c.String()) }

func (c *Clients) add(number int, entry string) (fault string) {
	name, rest, _ := strings.Cut(entry, ":")
	colon := strings.LastIndex(rest, ":")
	if name == "" || colon < 0 {
		return "it is not name:password:scope+scope"
	}
	if len(name) > maxName {
		return fmt.Sprintf("its name is longer than %d bytes", maxName)
	}
	password, scopes := rest[:colon], strings.Split(rest[colon+1:], "+")
	for _, scope := range scopes {
		if !slices.Contains([]string{ScopeOTP, ScopeRegister, ScopeImport}, scope) {
			return "a scope is none of otp, register and import"
		}
	}
	if slices.ContainsFunc(c.list, func(known client) bool { return known.id == name }) {
		return "its name is listed before"
	}
	c.list = append(c.list, client{
		entry:    number,
		id:       name,
		name:     sha256.Sum256([]byte(name)),
		password: sha256.Sum256([]byte(password)),
		scopes:   scopes,
		weakness: service.Weakness(name, password, minPassword),
	})
	return ""
}

const clientsCure = "write name:password:scope+scope, several by comma, into a file and name it by API_CLIENTS_FILE"

func (c Clients) faults() []error {
	if len(c.list) == 0 && len(c.malformed) == 0 {
		return []error{service.Fault{Setting: "API_CLIENTS", Problem: "lists no client, so that nobody could call", Cure: clientsCure}}
	}
	var faults []error
	for _, problem := range c.malformed {
		faults = append(faults, service.Fault{Setting: "API_CLIENTS", Problem: problem, Cure: clientsCure})
	}
	return faults
}

func (c Clients) weak() []error {
	var faults []error
	for _, known := range c.list {
		if known.weakness != "" {
			faults = append(faults, service.Fault{
				Setting: "API_CLIENTS",
				Problem: fmt.Sprintf("has a password in entry %d that %s", known.entry, known.weakness),
				Cure:    "draw one by chance, such as with: openssl rand -hex 16",
			})
		}
	}
	return faults
}

// match finds the client with this name and password. It takes the same time
// for every client and every mistake.
func (c Clients) match(name, password string) (client, bool) {
	nameSum, passwordSum := sha256.Sum256([]byte(name)), sha256.Sum256([]byte(password))
	var found client
	var ok bool
	for _, known := range c.list {
		sameName := subtle.ConstantTimeCompare(known.name[:], nameSum[:])
		samePassword := subtle.ConstantTimeCompare(known.password[:], passwordSum[:])
		if sameName&samePassword == 1 {
			found, ok = known, true
		}
	}
	return found, ok
}

// authorize returns the request as that of a client who may do what scope says.
func (c Clients) authorize(r *http.Request, scope string) (*http.Request, error) {
	name, password, given := r.BasicAuth()
	who, known := c.match(name, password)
	switch {
	case !given:
		return nil, Refuse(Unauthenticated, "Send the name and password of a client by HTTP Basic.")
	case !known:
		return nil, Refuse(Unauthenticated, "There is no client with this name and password.")
	case !slices.Contains(who.scopes, scope):
		return nil, Refuse(MissingScope, "The client lacks the scope %s.", scope)
	}
	return r.WithContext(context.WithValue(r.Context(), clientKey{}, who.id)), nil
}

type clientKey struct{}

// ClientOf returns the name of the client that made a request to an operation.
func ClientOf(ctx context.Context) string {
	name, _ := ctx.Value(clientKey{}).(string)
	return name
}
