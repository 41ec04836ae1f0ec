package mailsink

import (
	"crypto/subtle"
	"errors"
	"io"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

var (
	errLogin = &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "Log in first"}
	errMIME  = &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "The mail cannot be read"}
	errStop  = &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 3, 2}, Message: "The server stops"}
	errCut   = errors.New("connection cut on purpose")
)

// session is one connection between two greetings. Its methods are called one
// after the other.
type session struct {
	server *server
	conn   *smtp.Conn
	user   string
	from   string
	to     []string
	cut    bool // after the answer under way
}

// fault does what the due fault asks for, if one is, and returns the answer.
// keep tells whether the mail is to be kept all the same.
func (s *session) fault(stage Stage, to ...string) (keep bool, answer error) {
	f := s.server.sink.faults.strike(stage, to...)
	if f == nil {
		return true, nil
	}
	switch f.Action {
	case Refuse:
		return false, f.refusal()
	case Hang:
		select {
		case <-f.removed:
		case <-s.server.stopping:
		}
		return false, s.close()
	case Cut:
		return false, s.close()
	case KeepAndCut:
		return true, s.close()
	case AcceptAndCut:
		s.cut = true
	case Answer:
	}
	return true, nil
}

// close ends the connection without an answer. The library still tries to write
// the error that it gets, in vain.
func (s *session) close() error {
	return errors.Join(errCut, s.conn.Conn().Close())
}

// Mail implements [smtp.Session].
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.server.sink.opts.Username != "" && s.user == "" {
		return errLogin
	}
	if !s.server.begin(s) {
		return errStop
	}
	if _, err := s.fault(StageMail); err != nil {
		s.server.end(s)
		return err
	}
	s.from = from
	return nil
}

// Rcpt implements [smtp.Session].
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if _, err := s.fault(StageRcpt, to); err != nil {
		return err
	}
	s.to = append(s.to, to)
	return nil
}

// Data implements [smtp.Session].
func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m, err := parse(raw)
	if err != nil {
		s.server.sink.log.Warn("mail refused", "error", err)
		return errMIME
	}
	keep, answer := s.fault(StageData, s.to...)
	if !keep {
		return answer
	}
	m.From, m.User = s.from, s.user
	m.Local = s.conn.Conn().LocalAddr().String()
	_, m.TLS = s.conn.TLSConnectionState()
	for _, to := range s.to {
		m.To = to
		s.server.sink.store.add(m)
	}
	return answer
}

// Reset implements [smtp.Session]; the library calls it also after each mail's
// answer. An error of closing tells nothing new.
func (s *session) Reset() {
	s.from, s.to = "", nil
	if stopping := s.server.end(s); s.cut || stopping {
		_ = s.close()
	}
}

// Logout implements [smtp.Session].
func (s *session) Logout() error {
	s.server.leave(s)
	return nil
}

// AuthMechanisms implements [smtp.AuthSession].
func (s *session) AuthMechanisms() []string {
	if s.server.sink.opts.Username == "" {
		return nil
	}
	return []string{sasl.Plain, sasl.Login}
}

// Auth implements [smtp.AuthSession].
func (s *session) Auth(mechanism string) (sasl.Server, error) {
	switch {
	case s.server.sink.opts.Username == "":
		return nil, smtp.ErrAuthUnsupported
	case mechanism == sasl.Plain:
		return sasl.NewPlainServer(func(_, user, password string) error { return s.login(user, password) }), nil
	case mechanism == sasl.Login:
		return &loginServer{check: s.login}, nil
	}
	return nil, smtp.ErrAuthUnknownMechanism
}

func (s *session) login(user, password string) error {
	if _, err := s.fault(StageAuth); err != nil {
		return err
	}
	o := s.server.sink.opts
	rightUser := subtle.ConstantTimeCompare([]byte(user), []byte(o.Username))
	rightPassword := subtle.ConstantTimeCompare([]byte(password), []byte(o.Password))
	if rightUser&rightPassword != 1 {
		return smtp.ErrAuthFailed
	}
	s.user = user
	return nil
}

// loginServer is the mechanism LOGIN: it asks for the name, then for the
// password.
type loginServer struct {
	check func(user, password string) error
	user  *string
}

// Next implements [sasl.Server].
func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case response == nil:
		return []byte("Username:"), false, nil
	case l.user == nil:
		user := string(response)
		l.user = &user
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(*l.user, string(response))
}
