package service

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// minServerPassword is how many characters the password of a server has at
// least. Whoever runs the server chooses it, so that it is less than we would
// draw.
const minServerPassword = 8

// Weakness says what is wrong with a program's password, or "": it is empty,
// known to everybody, or shorter than least characters. It cannot tell whether a
// password was drawn by chance.
func Weakness(user, password string, least int) string {
	known := []string{
		"guest", "devops101", "demo", "admin", "root", "test", "secret", "matriq", "user",
		"password", "passw0rd", "password1", "changeme", "change-me", "letmein", "qwerty", "default",
		"rabbitmq", "redis", "mysql", "mariadb", "12345678", "123456789", "1234567890", strings.ToLower(user),
	}
	switch {
	case password == "":
		return "is empty"
	case slices.Contains(known, strings.ToLower(password)):
		return "is a known default"
	case len(password) < least:
		return fmt.Sprintf("is shorter than %d characters", least)
	}
	return ""
}

// WeakPassword returns the fault of a setting that has the password of a server:
// none when the server is on this machine's loopback address.
func WeakPassword(setting, host, user, password string) []error {
	weakness := Weakness(user, password, minServerPassword)
	if weakness == "" || isLoopback(host) {
		return nil
	}
	return []error{Fault{
		Setting: setting, Problem: "has a password that " + weakness,
		Cure: "give the user one that was drawn by chance, such as with: openssl rand -hex 16",
	}}
}

// WeakURL is [WeakPassword] for a URL, with several hosts by comma where they
// are sentinels. What is no URL it leaves to those who read it.
func WeakURL(setting, raw string) []error {
	_, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return nil
	}
	authority := rest
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		authority = rest[:end]
	}
	at := strings.LastIndex(authority, "@")
	u, err := url.Parse("any://" + authority[:at+1] + "host")
	if err != nil {
		return nil
	}
	password, _ := u.User.Password()
	for host := range strings.SplitSeq(authority[at+1:], ",") {
		if faults := WeakPassword(setting, hostOf(host), u.User.Username(), password); faults != nil {
			return faults
		}
	}
	return nil
}

// hostOf is host:port without its port and brackets.
func hostOf(hostPort string) string {
	u := url.URL{Host: hostPort}
	return u.Hostname()
}

// isLoopback is true for a host name that can only mean this machine.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
