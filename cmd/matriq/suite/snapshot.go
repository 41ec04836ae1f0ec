package suite

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// snapshotKey is one key of the embedded Redis on disk. One of the values is
// set, by the key's type; strings and hashes may hold any bytes.
type snapshotKey struct {
	Expires *time.Time         `json:"expires,omitempty"`
	String  []byte             `json:"string,omitzero"`
	Hash    map[string][]byte  `json:"hash,omitempty"`
	Set     []string           `json:"set,omitempty"`
	ZSet    map[string]float64 `json:"zset,omitempty"`
	List    []string           `json:"list,omitempty"`
}

// writeSnapshot replaces file with what db holds at now.
func writeSnapshot(file string, db *miniredis.Miniredis, now time.Time) error {
	keys := map[string]snapshotKey{}
	for _, name := range db.Keys() {
		if key, ok := readKey(db, name, now); ok {
			keys[name] = key
		}
	}
	data, err := json.Marshal(keys)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// readKey returns false for a key that went meanwhile.
func readKey(db *miniredis.Miniredis, name string, now time.Time) (snapshotKey, bool) {
	var key snapshotKey
	var err error
	switch db.Type(name) {
	case "string":
		var s string
		s, err = db.Get(name)
		key.String = []byte(s)
	case "hash":
		key.Hash, err = readHash(db, name)
	case "set":
		key.Set, err = db.Members(name)
	case "zset":
		key.ZSet, err = db.SortedSet(name)
	case "list":
		key.List, err = db.List(name)
	default:
		return key, false
	}
	if ttl := db.TTL(name); ttl > 0 {
		at := now.Add(ttl)
		key.Expires = &at
	}
	return key, err == nil
}

func readHash(db *miniredis.Miniredis, name string) (map[string][]byte, error) {
	fields, err := db.HKeys(name)
	if err != nil {
		return nil, err
	}
	hash := make(map[string][]byte, len(fields))
	for _, f := range fields {
		hash[f] = []byte(db.HGet(name, f))
	}
	return hash, nil
}

// loadSnapshot puts into db what file holds and what has not expired by now. A
// missing file is an empty one.
func loadSnapshot(file string, db *miniredis.Miniredis, now time.Time) error {
	data, err := os.ReadFile(file) //nolint:gosec // the data folder is the caller's
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var keys map[string]snapshotKey
	if err := json.Unmarshal(data, &keys); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for name, key := range keys {
		if key.Expires != nil && !key.Expires.After(now) {
			continue
		}
		if err := writeKey(db, name, key); err != nil {
			return fmt.Errorf("%s: key %s: %w", file, name, err)
		}
		if key.Expires != nil {
			db.SetTTL(name, key.Expires.Sub(now))
		}
	}
	return nil
}

func writeKey(db *miniredis.Miniredis, name string, key snapshotKey) error {
	if key.String != nil {
		return db.Set(name, string(key.String))
	}
	for field, value := range key.Hash {
		db.HSet(name, field, string(value))
	}
	for member, score := range key.ZSet {
		if _, err := db.ZAdd(name, score, member); err != nil {
			return err
		}
	}
	if len(key.Set) > 0 {
		if _, err := db.SetAdd(name, key.Set...); err != nil {
			return err
		}
	}
	if len(key.List) > 0 {
		if _, err := db.Push(name, key.List...); err != nil {
			return err
		}
	}
	return nil
}
