package rpc

import (
	"cmp"
	"context"
	"net/url"
	"strconv"
	"strings"
)

// Between programs of this package a message says what it has to say in AMQP's
// property type, which is SERVICE.METHOD with parameters, as a media type has them:
//
//	otp.create;language=th;request_id=ZK4T7…;client_ip=192.0.2.7;deadline=1700000000123
//
// A header costs the broker and amqp091-go several times what a property costs, and
// there would be five. What finds no room in the 255 bytes of a property is a header.
// What may come to Nameko, which knows no type, has headers alone.
const (
	paramLanguage  = "language"
	paramRequestID = "request_id"
	paramClientIP  = "client_ip"
	// paramDeadline is in Unix milliseconds.
	paramDeadline = "deadline"
	paramKey      = "key"
	paramStack    = "call_id_stack"
)

// say writes into e, which has no headers yet, what m takes along.
func (e *envelope) say(ctx context.Context, m Message, from origin) {
	var room [maxShortString]byte
	typ, ok := appended(room[:0], "", m.Target)
	if !ok {
		e.headers = headersOf(ctx, m, from)
		e.headers[headerMethod] = m.Target
		return
	}
	for _, p := range [...]struct{ name, value, header string }{
		{paramLanguage, m.Meta.Language, headerLanguage},
		{paramRequestID, m.Meta.RequestID, headerRequestID},
		{paramClientIP, m.Meta.ClientIP, headerClientIP},
		{paramKey, m.Key, headerKey},
	} {
		if typ, ok = appended(typ, p.name, p.value); !ok {
			e.header(p.header, p.value)
		}
	}
	if !m.Deadline.IsZero() {
		var digits [20]byte
		ms := m.Deadline.UnixMilli()
		if typ, ok = appended(typ, paramDeadline, string(strconv.AppendInt(digits[:0], ms, 10))); !ok {
			e.header(headerDeadline, ms)
		}
	}
	if typ, ok = appendedLiteral(typ, paramStack, string(cmp.Or(stackFrom(ctx), from.stack))); !ok {
		e.header(headerStack, stackHeader(ctx, from))
	}
	if m.TraceParent != "" {
		e.header(headerTrace, m.TraceParent)
	}
	e.messageType = string(typ)
}

func (e *envelope) header(name string, value any) {
	if e.headers == nil {
		e.headers = make(map[string]any)
	}
	e.headers[name] = value
}

// appended returns typ with a parameter, or with the method where it has no name;
// false and typ as it was when there is no room. Nothing is said of an empty value.
func appended(typ []byte, name, value string) ([]byte, bool) {
	return appendedLiteral(typ, name, escaped(value))
}

func appendedLiteral(typ []byte, name, value string) ([]byte, bool) {
	switch {
	case value == "":
		return typ, true
	case len(typ)+len(name)+len(value)+2 > maxShortString:
		return typ, false
	case name != "":
		typ = append(append(append(typ, ';'), name...), '=')
	}
	return append(typ, value...), true
}

func escaped(s string) string {
	if isLiteral(s) {
		return s
	}
	return url.PathEscape(s)
}

// isLiteral tells whether s can stand in a type unescaped.
func isLiteral(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == ';' || c == ',' || c == '%' {
			return false
		}
	}
	return true
}

// said is what d says of itself. Headers come first: a message that was moved has
// more of them. The type counts where programs of this package write it, who send
// straight to the queue.
func said(d *delivery) inbound {
	in := readHeaders(d.headers)
	if d.exchange == exchangeDefault {
		in.complete(readType(d.messageType))
	}
	return in
}

// readType reads what say wrote. What cannot be read is missing.
func readType(typ string) inbound {
	method, params, _ := strings.Cut(typ, ";")
	in := inbound{method: unescaped(method)}
	for params != "" {
		var param string
		param, params, _ = strings.Cut(params, ";")
		name, value, _ := strings.Cut(param, "=")
		switch name {
		case paramLanguage:
			in.meta.Language = unescaped(value)
		case paramRequestID:
			in.meta.RequestID = unescaped(value)
		case paramClientIP:
			in.meta.ClientIP = unescaped(value)
		case paramKey:
			in.key = unescaped(value)
		case paramDeadline:
			ms, _ := strconv.ParseInt(value, 10, 64)
			in.deadline = instant(ms)
		case paramStack:
			in.stack = callIDs(value).last(maxStack)
		}
	}
	return in
}

func unescaped(s string) string {
	plain, err := url.PathUnescape(s)
	if err != nil {
		return ""
	}
	return text(plain)
}

// complete takes from other what in lacks.
func (in *inbound) complete(other inbound) {
	in.meta.Language = cmp.Or(in.meta.Language, other.meta.Language)
	in.meta.RequestID = cmp.Or(in.meta.RequestID, other.meta.RequestID)
	in.meta.ClientIP = cmp.Or(in.meta.ClientIP, other.meta.ClientIP)
	in.method = cmp.Or(in.method, other.method)
	in.key = cmp.Or(in.key, other.key)
	in.deadline = cmp.Or(in.deadline, other.deadline)
	in.stack = cmp.Or(in.stack, other.stack)
}
