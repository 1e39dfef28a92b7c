"""The tables, as numbered migrations. A migration that was released is never edited."""

MIGRATIONS = (
    # 1: agents, the windows Torch made, messages, hook events, observed states, the event log.
    """
    CREATE TABLE agents (
        name            TEXT PRIMARY KEY,
        role            TEXT NOT NULL DEFAULT '',
        profile         TEXT NOT NULL,
        parent          TEXT NOT NULL DEFAULT '',
        origin          TEXT NOT NULL CHECK (origin IN ('spawned', 'adopted')),
        socket          TEXT NOT NULL,
        server          TEXT NOT NULL,
        pane            TEXT NOT NULL,
        pane_pid        INTEGER NOT NULL,
        session         TEXT NOT NULL,
        window          TEXT NOT NULL,
        directory       TEXT NOT NULL,
        program_pid     INTEGER NOT NULL,
        program_started TEXT NOT NULL,
        hooks           INTEGER NOT NULL DEFAULT 0,
        chord           INTEGER NOT NULL DEFAULT 0,
        version         TEXT NOT NULL DEFAULT '',
        created         REAL NOT NULL,
        ready           REAL,
        stopped         REAL
    );
    CREATE TABLE windows (
        server          TEXT NOT NULL,
        window          TEXT NOT NULL,
        pane            TEXT NOT NULL,
        pane_pid        INTEGER NOT NULL,
        socket          TEXT NOT NULL,
        session         TEXT NOT NULL,
        name            TEXT NOT NULL,
        directory       TEXT NOT NULL,
        created_session INTEGER NOT NULL,
        created         REAL NOT NULL,
        PRIMARY KEY (server, window)
    );
    CREATE TABLE messages (
        id              TEXT PRIMARY KEY,
        key             TEXT UNIQUE,
        sender          TEXT NOT NULL,
        recipient       TEXT NOT NULL,
        kind            TEXT NOT NULL,
        body            BLOB NOT NULL,
        typed           BLOB NOT NULL,
        server          TEXT NOT NULL,
        pane            TEXT NOT NULL,
        pane_pid        INTEGER NOT NULL,
        state           TEXT NOT NULL,
        reason          TEXT NOT NULL DEFAULT '',
        step            TEXT NOT NULL,
        attempts        INTEGER NOT NULL DEFAULT 0,
        evidence        TEXT NOT NULL DEFAULT '[]',
        baseline        TEXT NOT NULL DEFAULT '{}',
        elapsed_ms      REAL NOT NULL DEFAULT 0,
        created         REAL NOT NULL,
        updated         REAL NOT NULL,
        deadline        REAL
    );
    CREATE INDEX messages_by_pane ON messages (server, pane, created);
    CREATE INDEX messages_by_recipient ON messages (recipient, created);
    CREATE TABLE hook_events (
        id              INTEGER PRIMARY KEY,
        at              REAL NOT NULL,
        socket          TEXT NOT NULL,
        pane            TEXT NOT NULL,
        agent           TEXT NOT NULL,
        name            TEXT NOT NULL,
        session         TEXT NOT NULL,
        prompt          TEXT NOT NULL,
        detail          TEXT NOT NULL
    );
    CREATE INDEX hook_events_by_pane ON hook_events (socket, pane, id);
    CREATE TABLE observations (
        server          TEXT NOT NULL,
        pane            TEXT NOT NULL,
        pane_pid        INTEGER NOT NULL,
        state           TEXT NOT NULL,
        evidence        TEXT NOT NULL,
        since           REAL NOT NULL,
        seen            REAL NOT NULL,
        PRIMARY KEY (server, pane, pane_pid)
    );
    CREATE TABLE events (
        id              INTEGER PRIMARY KEY,
        at              REAL NOT NULL,
        actor           TEXT NOT NULL,
        verb            TEXT NOT NULL,
        target          TEXT NOT NULL,
        detail          TEXT NOT NULL DEFAULT '{}'
    );
    CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events
        BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
    CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events
        BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
    """,
    # 2: answers to messages.
    """
    ALTER TABLE messages ADD COLUMN reply_to TEXT NOT NULL DEFAULT '';
    CREATE INDEX messages_by_reply ON messages (reply_to);
    """,
)
