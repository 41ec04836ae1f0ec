// Package redisconn opens Redis by a URL: one server, or a master that
// sentinels elect.
//
// A client connects at its first command and again after every failure, so that
// a program may start before Redis. A command ends with its context, or after
// the time limits below; a caller sees the error at once and decides.
//
// Not promised: that a command that failed had no effect. The answer may have
// been lost on its way, and go-redis itself repeats a command that met a broken
// connection. Scripts must bear being run twice.
package redisconn

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
)

const (
	dialTimeout  = 2 * time.Second
	ioTimeout    = 2 * time.Second
	poolTimeout  = 2 * time.Second // waiting for a free connection
	idleTimeout  = 5 * time.Minute
	maxRetries   = 2
	sentinelPort = "26379"
)

// Open returns a client for
//
//	redis://[user:password@]host[:port][/db]
//	rediss://…                                   the same over TLS
//	redis+sentinel://[:password@]host[:port][,host[:port]…]/master[/db]
//
// The password is that of Redis and of the sentinels alike. It does not connect;
// the error is about the URL and does not repeat it.
func Open(rawURL string) (redis.UniversalClient, error) {
	// go-redis would write lines of its own to stderr, amid the program's JSON;
	// what they say is also in the error of the command that met it.
	redis.SetLogger(&logging.VoidLogger{})
	scheme, _, _ := strings.Cut(rawURL, "://")
	switch scheme {
	case "redis", "rediss":
		return openServer(rawURL)
	case "redis+sentinel":
		return openSentinel(rawURL)
	default:
		return nil, errors.New("the Redis URL begins with none of redis://, rediss:// and redis+sentinel://")
	}
}

func openServer(rawURL string) (redis.UniversalClient, error) {
	o, err := redis.ParseURL(rawURL)
	if err != nil {
		return nil, fmt.Errorf("the Redis URL is malformed: %w", withoutURL(err))
	}
	o.DialTimeout = dialTimeout
	o.ReadTimeout = ioTimeout
	o.WriteTimeout = ioTimeout
	o.PoolTimeout = poolTimeout
	o.ConnMaxIdleTime = idleTimeout
	o.MaxRetries = maxRetries
	o.ContextTimeoutEnabled = true
	return redis.NewClient(o), nil
}

func openSentinel(rawURL string) (redis.UniversalClient, error) {
	u, err := parseSentinel(rawURL)
	if err != nil {
		return nil, err
	}
	return redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName:            u.master,
		SentinelAddrs:         u.hosts,
		SentinelPassword:      u.password,
		Username:              u.user,
		Password:              u.password,
		DB:                    u.db,
		DialTimeout:           dialTimeout,
		ReadTimeout:           ioTimeout,
		WriteTimeout:          ioTimeout,
		PoolTimeout:           poolTimeout,
		ConnMaxIdleTime:       idleTimeout,
		MaxRetries:            maxRetries,
		ContextTimeoutEnabled: true,
	}), nil
}

type sentinelURL struct {
	user, password string
	hosts          []string
	master         string
	db             int
}

// parseSentinel takes the hosts out before the rest is read as a URL, because
// a URL has one host.
func parseSentinel(rawURL string) (sentinelURL, error) {
	rest := strings.TrimPrefix(rawURL, "redis+sentinel://")
	authority, path, _ := strings.Cut(rest, "/")
	credentials, hosts := "", authority
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		credentials, hosts = authority[:at+1], authority[at+1:]
	}
	u, err := url.Parse("redis://" + credentials + "host/" + path)
	if err != nil {
		return sentinelURL{}, fmt.Errorf("the Redis URL is malformed: %w", withoutURL(err))
	}
	parsed := sentinelURL{user: u.User.Username(), hosts: sentinelHosts(hosts)}
	parsed.password, _ = u.User.Password()
	if len(parsed.hosts) == 0 {
		return sentinelURL{}, errors.New("the Redis URL names no sentinel")
	}
	master, db, hasDB := strings.Cut(strings.Trim(u.Path, "/"), "/")
	if master == "" {
		return sentinelURL{}, errors.New("the Redis URL names no master: end it with /mymaster or /mymaster/0")
	}
	parsed.master = master
	if hasDB {
		if parsed.db, err = strconv.Atoi(db); err != nil || parsed.db < 0 {
			return sentinelURL{}, errors.New("the Redis URL's last part is no number of a database")
		}
	}
	return parsed, nil
}

func sentinelHosts(list string) []string {
	var hosts []string
	for host := range strings.SplitSeq(list, ",") {
		host = strings.TrimSpace(host)
		if host == "" {
			continue
		}
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), sentinelPort)
		}
		hosts = append(hosts, host)
	}
	return hosts
}

// withoutURL drops the URL, which may hold a password, from a parser's error.
func withoutURL(err error) error {
	if bad, ok := errors.AsType[*url.Error](err); ok {
		return bad.Err
	}
	return err
}
