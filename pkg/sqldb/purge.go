package sqldb

import (
	"context"
	"slices"
	"strings"
)

// purgeBatch is how many rows one statement of [Purge] deletes: few enough to
// hold up nobody.
const purgeBatch = 500

// Purge deletes the rows whose keys find selects, a batch at a time, until it
// finds no more. find ends in "LIMIT ?" and gets args and the size of a batch;
// drop deletes where a key is IN ($IDS). Rows are looked up first and deleted by
// key, so that no range is locked, and both dialects can do it.
func Purge(ctx context.Context, db *DB, find, drop string, args ...any) error {
	for {
		keys, err := findKeys(ctx, db, find, append(slices.Clip(args), purgeBatch))
		if err != nil || len(keys) == 0 {
			return err
		}
		if err := Exec(ctx, db, WithIDs(drop, len(keys)), keys...); err != nil {
			return err
		}
		if len(keys) < purgeBatch {
			return nil
		}
	}
}

func findKeys(ctx context.Context, db *DB, find string, args []any) ([]any, error) {
	rows, err := db.QueryContext(ctx, db.SQL(find), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var keys []any
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, rows.Err()
}

// WithIDs writes n placeholders for $IDS in query.
func WithIDs(query string, n int) string {
	return strings.ReplaceAll(query, "$IDS", strings.TrimSuffix(strings.Repeat("?,", n), ","))
}
