package ui

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"matriq/pkg/api/restapi"
	"matriq/pkg/service"
)

const (
	maxReply     = 64 << 10
	tlsTimeout   = 2 * time.Second
	maxIdleConns = 256 // for each gateway: a rush must not spend its time on handshakes
	// idleTimeout is shorter than a gateway's DRAIN_DELAY, so that no request is
	// sent on a connection that a gateway is closing because it leaves.
	idleTimeout = 2 * time.Second
)

// Gateways is the REST client of both gateways. A gateway that is being replaced
// is not noticed: see retry.go.
type Gateways struct {
	otp, register endpoint
	http          *http.Client
	timeout       time.Duration
}

// endpoint is a gateway's address and the credential it asks for, kept apart so
// that no error and no log can show the two together.
type endpoint struct {
	base           url.URL
	user, password string
}

// on is for whom a call is made; it travels as headers.
type on struct {
	clientIP, requestID string
	lang                lang
}

// NewGateways returns a client; it connects at the first call.
func NewGateways(cfg Config, env service.Env) (*Gateways, error) {
	otp, err := newEndpoint(cfg.OTPURL)
	if err != nil {
		return nil, fmt.Errorf("OTP_URL %w", err)
	}
	register, err := newEndpoint(cfg.RegisterURL)
	if err != nil {
		return nil, fmt.Errorf("REGISTER_URL %w", err)
	}
	return &Gateways{otp: otp, register: register, http: newHTTPClient(env.Traced()), timeout: cfg.GatewayTimeout}, nil
}

func newHTTPClient(traced bool) *http.Client {
	var transport http.RoundTripper = newTransport(dial)
	if traced {
		transport = otelhttp.NewTransport(transport)
	}
	return &http.Client{
		Transport: transport,
		// The gateways never redirect; who does is not one of them.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func newTransport(dial func(ctx context.Context, network, addr string) (net.Conn, error)) *http.Transport {
	return &http.Transport{
		DialContext:         dial,
		TLSHandshakeTimeout: tlsTimeout,
		MaxIdleConnsPerHost: maxIdleConns,
		IdleConnTimeout:     idleTimeout,
		ForceAttemptHTTP2:   true,
	}
}

// newEndpoint's errors do not repeat raw, which holds a password.
func newEndpoint(raw string) (endpoint, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return endpoint{}, errors.New("is no URL")
	}
	e := endpoint{user: u.User.Username()}
	e.password, _ = u.User.Password()
	if e.user == "" || e.password == "" {
		return endpoint{}, errors.New("has no client's name and password")
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	e.base = *u
	return e, nil
}

// Close closes the idle connections.
func (g *Gateways) Close() { g.http.CloseIdleConnections() }

// askCode asks for a code; the same key gets the same one.
func (g *Gateways) askCode(ctx context.Context, who on, key, email string) (restapi.GetOTPReply, error) {
	c := call{to: g.otp, method: http.MethodPost, path: restapi.PathGetOTP, body: restapi.GetOTPRequest{Email: email}, key: key}
	return do[restapi.GetOTPReply](ctx, g, who, c)
}

// prove tries a code; the same key is one guess.
func (g *Gateways) prove(ctx context.Context, who on, key, email, code string) (restapi.AuthenReply, error) {
	c := call{to: g.otp, method: http.MethodPost, path: restapi.PathAuthen, body: restapi.AuthenRequest{Email: email, OTP: code}, key: key}
	return do[restapi.AuthenReply](ctx, g, who, c)
}

// registerStudent registers, or finds the student who has the address: whoever
// repeats gets the same ID. It needs no key for that. Under one, the service student
// would write two rows besides, each a commit, and a repeat of what a replica took
// with it when it died would be kept waiting as in flight.
func (g *Gateways) registerStudent(ctx context.Context, who on, req restapi.RegisterRequest) (restapi.RegisterReply, error) {
	c := call{to: g.register, method: http.MethodPost, path: restapi.PathRegister, body: req, insist: true}
	return do[restapi.RegisterReply](ctx, g, who, c)
}

// progress tells how far a registration has come.
func (g *Gateways) progress(ctx context.Context, who on, studentID int64) (restapi.ProgressReply, error) {
	path := strings.ReplaceAll(restapi.PathProgress, "{studentID}", strconv.FormatInt(studentID, 10))
	c := call{to: g.register, method: http.MethodGet, path: path, insist: true}
	return do[restapi.ProgressReply](ctx, g, who, c)
}

// call is one call of a gateway. It does the same however often it arrives: a GET,
// a POST under a key, or a registration.
type call struct {
	to           endpoint
	method, path string
	body         any
	key          string
	// insist asks again also where a gateway said that it cannot now. Whoever is
	// almost registered is worth it; a first step in a rush would add to the rush.
	insist bool
}

// do makes c, within the client's timeout, and decodes its answer.
func do[Reply any](ctx context.Context, g *Gateways, who on, c call) (Reply, error) {
	var reply Reply
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	data, err := g.repeat(ctx, who, c)
	if err != nil {
		return reply, fmt.Errorf("%s %s: %w", c.method, c.path, err)
	}
	if err := json.Unmarshal(data, &reply); err != nil {
		return reply, fmt.Errorf("%s %s: %w: answer: %w", c.method, c.path, errUnavailable, err)
	}
	return reply, nil
}

// once sends c and returns the body of a good answer; any other is a [*refusalError].
func (g *Gateways) once(ctx context.Context, who on, c call) ([]byte, error) {
	req, err := c.request(ctx, who)
	if err != nil {
		return nil, err
	}
	res, err := g.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnavailable, err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, maxReply))
	if err != nil {
		return nil, fmt.Errorf("%w: read answer: %w", errUnavailable, err)
	}
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusCreated {
		return nil, newRefusal(res, data)
	}
	return data, nil
}

func (c call) request(ctx context.Context, who on) (*http.Request, error) {
	var body io.Reader
	if c.body != nil {
		data, err := json.Marshal(c.body)
		if err != nil {
			return nil, fmt.Errorf("write body: %w", err)
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, c.method, c.to.base.JoinPath(c.path).String(), body)
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth(c.to.user, c.to.password)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Accept-Language", string(who.lang))
	req.Header.Set("X-Request-ID", who.requestID)
	if who.clientIP != "" {
		req.Header.Set("X-Forwarded-For", who.clientIP)
	}
	if c.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		req.Header.Set("Idempotency-Key", c.key)
	}
	return req, nil
}
