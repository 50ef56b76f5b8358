-- Every statement of the ledger, by name. Instants are INTEGER µs since 1970 UTC.

-- name: schema
CREATE TABLE ticks (
    now INTEGER PRIMARY KEY, since INTEGER NOT NULL, watermark INTEGER NOT NULL,
    arrivals INTEGER NOT NULL, late_rows INTEGER NOT NULL, replayed INTEGER NOT NULL
);
CREATE TABLE patients (
    subject_id INTEGER PRIMARY KEY, encounter_id TEXT, cursor INTEGER NOT NULL,
    alert TEXT, last_alert_end INTEGER, eligibility BLOB NOT NULL
);
CREATE TABLE memories (
    subject_id INTEGER NOT NULL, cursor INTEGER NOT NULL, model_id TEXT NOT NULL, blob BLOB NOT NULL,
    PRIMARY KEY (subject_id, cursor)
);
CREATE TABLE outcomes (
    subject_id INTEGER NOT NULL, at INTEGER NOT NULL, task TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (subject_id, at, task)
) WITHOUT ROWID;
CREATE INDEX outcomes_at ON outcomes (at);
CREATE TABLE alerts (alert_id TEXT PRIMARY KEY, raised_at INTEGER NOT NULL, open INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE transitions (
    number INTEGER PRIMARY KEY, alert_id TEXT NOT NULL, subject_id INTEGER NOT NULL, at INTEGER NOT NULL,
    before TEXT, after TEXT NOT NULL, cause TEXT NOT NULL, actor TEXT, risk REAL
);
CREATE INDEX transitions_of ON transitions (alert_id);
CREATE TABLE messages (
    number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, recipient TEXT NOT NULL, alert_id TEXT NOT NULL,
    created_at INTEGER NOT NULL, valid_until INTEGER NOT NULL, payload BLOB NOT NULL,
    worker TEXT, leased_until INTEGER, attempts INTEGER NOT NULL DEFAULT 0, next_try INTEGER, error TEXT,
    delivered_at INTEGER, expired_at INTEGER
);
CREATE INDEX messages_waiting ON messages (number) WHERE delivered_at IS NULL AND expired_at IS NULL;
CREATE TABLE acknowledgements (
    number INTEGER PRIMARY KEY, alert_id TEXT NOT NULL, by TEXT NOT NULL, at INTEGER NOT NULL, applied_at INTEGER
);
CREATE TABLE heartbeats (name TEXT PRIMARY KEY, wall INTEGER NOT NULL, ward_now INTEGER NOT NULL);

-- name: last_tick
SELECT now, watermark FROM ticks ORDER BY now DESC LIMIT 1;

-- name: has_tick
SELECT 1 FROM ticks WHERE now = :now;

-- name: ticks
SELECT now, since, watermark, arrivals, late_rows, replayed FROM ticks ORDER BY now;

-- name: put_tick
INSERT INTO ticks (now, since, watermark, arrivals, late_rows, replayed)
VALUES (:now, :since, :watermark, :arrivals, :late_rows, :replayed);

-- name: patients
SELECT subject_id, encounter_id, cursor, alert, last_alert_end, eligibility FROM patients ORDER BY subject_id;

-- name: put_patient
INSERT OR REPLACE INTO patients (subject_id, encounter_id, cursor, alert, last_alert_end, eligibility)
VALUES (:subject_id, :encounter_id, :cursor, :alert, :last_alert_end, :eligibility);

-- name: memory
SELECT subject_id, model_id, cursor, blob FROM memories
WHERE subject_id = :subject_id AND cursor < :before ORDER BY cursor DESC LIMIT 1;

-- name: newest_memories
SELECT m.subject_id, m.model_id, m.cursor, m.blob FROM memories m
WHERE m.cursor = (SELECT max(cursor) FROM memories WHERE subject_id = m.subject_id) ORDER BY m.subject_id;

-- name: snapshots
SELECT cursor FROM memories WHERE subject_id = :subject_id ORDER BY cursor;

-- name: put_memory
INSERT OR REPLACE INTO memories (subject_id, cursor, model_id, blob) VALUES (:subject_id, :cursor, :model_id, :blob);

-- name: forget_wrong
-- snapshots that were made before the past changed
DELETE FROM memories WHERE subject_id = :subject_id AND cursor >= :rewind AND cursor < :now;

-- name: forget_spare
-- kept: the newest; the first of every :short since :young; the first of every :long from :old to :young
DELETE FROM memories WHERE subject_id = :subject_id AND cursor < :newest AND (
    cursor < :old
    OR EXISTS (
        SELECT 1 FROM memories e WHERE e.subject_id = :subject_id AND e.cursor < memories.cursor
        AND CASE WHEN memories.cursor < :young THEN (e.cursor - 1) / :long = (memories.cursor - 1) / :long
                 ELSE (e.cursor - 1) / :short = (memories.cursor - 1) / :short END
    )
);

-- name: outcomes
SELECT body FROM outcomes
WHERE at >= :since AND at <= :until AND (:subject_id IS NULL OR subject_id = :subject_id)
ORDER BY at DESC, subject_id, task LIMIT :limit;

-- name: put_outcome
INSERT OR REPLACE INTO outcomes (subject_id, at, task, body) VALUES (:subject_id, :at, :task, :body);

-- name: alerts
SELECT body FROM alerts WHERE open >= :open AND raised_at >= :since ORDER BY raised_at, alert_id;

-- name: alert
SELECT body FROM alerts WHERE alert_id = :alert_id;

-- name: put_alert
INSERT OR REPLACE INTO alerts (alert_id, raised_at, open, body) VALUES (:alert_id, :raised_at, :open, :body);

-- name: transitions
SELECT alert_id, subject_id, at, before, after, cause, actor, risk FROM transitions
WHERE :alert_id IS NULL OR alert_id = :alert_id ORDER BY number;

-- name: put_transition
INSERT INTO transitions (alert_id, subject_id, at, before, after, cause, actor, risk)
VALUES (:alert_id, :subject_id, :at, :before, :after, :cause, :actor, :risk);

-- name: put_message
INSERT OR IGNORE INTO messages (key, recipient, alert_id, created_at, valid_until, payload)
VALUES (:key, :recipient, :alert_id, :created_at, :valid_until, :payload);

-- name: messages
SELECT key, recipient, alert_id, created_at, valid_until, payload,
       worker, leased_until, attempts, next_try, error, delivered_at, expired_at
FROM messages ORDER BY number;

-- name: lease
UPDATE messages SET worker = :worker, leased_until = :until, attempts = attempts + 1
WHERE number IN (
    SELECT number FROM messages
    WHERE delivered_at IS NULL AND expired_at IS NULL
      AND (leased_until IS NULL OR leased_until <= :now) AND (next_try IS NULL OR next_try <= :now)
    ORDER BY number LIMIT :limit
)
RETURNING number, key, recipient, alert_id, created_at, valid_until, payload;

-- name: delivered
UPDATE messages SET delivered_at = coalesce(delivered_at, :at), leased_until = NULL, error = NULL WHERE key = :key;

-- name: failed
UPDATE messages SET leased_until = NULL, next_try = :retry_at, error = :error WHERE key = :key AND delivered_at IS NULL;

-- name: expired
UPDATE messages SET expired_at = coalesce(expired_at, :at), leased_until = NULL WHERE key = :key AND delivered_at IS NULL;

-- name: put_acknowledgement
INSERT INTO acknowledgements (alert_id, by, at) VALUES (:alert_id, :by, :at);

-- name: waiting_acknowledgements
SELECT number, alert_id, by, at FROM acknowledgements
WHERE applied_at IS NULL AND at <= :until ORDER BY at, alert_id, by, number;

-- name: all_acknowledgements
SELECT alert_id, by, at, applied_at FROM acknowledgements ORDER BY number;

-- name: apply_acknowledgements
UPDATE acknowledgements SET applied_at = :now WHERE applied_at IS NULL AND at <= :now AND number <= :last;

-- name: put_heartbeat
INSERT OR REPLACE INTO heartbeats (name, wall, ward_now) VALUES (:name, :wall, :ward_now);

-- name: heartbeats
SELECT name, wall, ward_now FROM heartbeats ORDER BY name;
