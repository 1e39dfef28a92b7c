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
    # 3: the outbox, check-ins and their runs, the scheduler's lease and its outages. Earlier
    # versions did not promise to send held messages later, so these are not kept.
    """
    ALTER TABLE agents ADD COLUMN identity TEXT NOT NULL DEFAULT '';
    UPDATE agents SET identity = 'a-' || lower(hex(randomblob(4)));
    ALTER TABLE messages ADD COLUMN agent TEXT NOT NULL DEFAULT '';
    ALTER TABLE messages ADD COLUMN kept INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE messages ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE messages ADD COLUMN type_when TEXT NOT NULL DEFAULT 'ready';
    ALTER TABLE messages ADD COLUMN told REAL;
    CREATE INDEX messages_kept ON messages (agent) WHERE kept = 1 AND step <> 'done';
    CREATE INDEX messages_untold ON messages (sender) WHERE kept = 1 AND step = 'done'
        AND told IS NULL AND state IN ('failed', 'unknown');
    CREATE TABLE checkins (
        id              TEXT PRIMARY KEY,
        name            TEXT NOT NULL,
        target          TEXT NOT NULL,
        agent           TEXT NOT NULL,
        server          TEXT NOT NULL,
        pane            TEXT NOT NULL,
        pane_pid        INTEGER NOT NULL,
        note            TEXT NOT NULL,
        kind            TEXT NOT NULL CHECK (kind IN ('at', 'every', 'cron')),
        expression      TEXT NOT NULL,
        zone            TEXT NOT NULL,
        start           REAL NOT NULL,
        until           REAL,
        remaining       INTEGER,
        jitter          REAL NOT NULL DEFAULT 0,
        grace           REAL,
        condition       TEXT NOT NULL CHECK (condition IN ('idle', 'always')),
        fallback        TEXT NOT NULL DEFAULT '',
        parent          TEXT NOT NULL DEFAULT '',
        creator         TEXT NOT NULL DEFAULT '',
        state           TEXT NOT NULL CHECK (state IN ('active', 'paused', 'done', 'cancelled')),
        nominal         REAL,
        due             REAL,
        created         REAL NOT NULL,
        changed         REAL NOT NULL
    );
    CREATE UNIQUE INDEX checkins_by_name ON checkins (name) WHERE state IN ('active', 'paused');
    CREATE INDEX checkins_due ON checkins (due) WHERE state = 'active';
    CREATE TABLE runs (
        id              TEXT PRIMARY KEY,
        checkin         TEXT NOT NULL,
        due             REAL NOT NULL,
        fired           REAL NOT NULL,
        state           TEXT NOT NULL
                        CHECK (state IN ('sent', 'overdue', 'missed', 'superseded', 'failed')),
        reason          TEXT NOT NULL DEFAULT '',
        delay           TEXT NOT NULL DEFAULT '',
        coalesced       INTEGER NOT NULL DEFAULT 0,
        message         TEXT NOT NULL DEFAULT '',
        recipient       TEXT NOT NULL DEFAULT '',
        token           INTEGER NOT NULL DEFAULT 0,
        UNIQUE (checkin, due)
    );
    CREATE INDEX runs_overdue ON runs (due) WHERE state = 'overdue';
    CREATE TABLE lease (
        name            TEXT PRIMARY KEY,
        kind            TEXT NOT NULL,
        pid             INTEGER NOT NULL,
        started         TEXT NOT NULL,
        boot            TEXT NOT NULL,
        renewed         REAL NOT NULL,
        awake           REAL NOT NULL,
        seconds         REAL NOT NULL,
        token           INTEGER NOT NULL,
        since           REAL NOT NULL,
        seen            REAL NOT NULL,
        released        INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE outages (
        id              INTEGER PRIMARY KEY,
        began           REAL NOT NULL,
        ended           REAL NOT NULL,
        kind            TEXT NOT NULL
    );
    """,
    # 4: directories that are watched for checkpoints, and the outcome of the last attempts.
    """
    CREATE TABLE watches (
        worktree        BLOB PRIMARY KEY,
        every           REAL,
        on_idle         INTEGER,
        commit_every    REAL NOT NULL DEFAULT 0,
        changed         REAL NOT NULL DEFAULT 0,
        attempted       REAL NOT NULL DEFAULT 0,
        failed          INTEGER NOT NULL DEFAULT 0,
        said            TEXT NOT NULL DEFAULT '',
        checkpoint      TEXT NOT NULL DEFAULT '',
        committed       REAL NOT NULL DEFAULT 0,
        commit_said     TEXT NOT NULL DEFAULT ''
    );
    """,
    # 5: which agents were briefed, and which have acknowledged it.
    """
    CREATE TABLE briefings (
        message         TEXT PRIMARY KEY,
        agent           TEXT NOT NULL,
        name            TEXT NOT NULL,
        sent            REAL NOT NULL,
        acknowledged    REAL,
        words           TEXT NOT NULL DEFAULT ''
    );
    CREATE INDEX briefings_by_agent ON briefings (agent, sent);
    """,
    # 6: what team files have started.
    """
    CREATE TABLE team_members (
        team            BLOB NOT NULL,
        name            TEXT NOT NULL,
        kind            TEXT NOT NULL CHECK (kind IN ('agent', 'process')),
        spec            TEXT NOT NULL,
        agent           TEXT NOT NULL,
        socket          TEXT NOT NULL,
        server          TEXT NOT NULL,
        pane            TEXT NOT NULL,
        pane_pid        INTEGER NOT NULL,
        directory       BLOB NOT NULL,
        ours            INTEGER NOT NULL,
        started         REAL NOT NULL,
        PRIMARY KEY (team, name)
    );
    CREATE INDEX team_members_by_agent ON team_members (agent);
    """,
    # 7: tasks and their history.
    """
    CREATE TABLE tasks (
        id              TEXT PRIMARY KEY,
        title           TEXT NOT NULL,
        body            TEXT NOT NULL,
        criteria        TEXT NOT NULL,
        "check"         TEXT NOT NULL,
        priority        INTEGER NOT NULL,
        skills          TEXT NOT NULL,
        directory       TEXT NOT NULL,
        depends         TEXT NOT NULL,
        creator         TEXT NOT NULL,
        state           TEXT NOT NULL CHECK
                        (state IN ('open', 'claimed', 'active', 'blocked', 'done', 'failed')),
        agent           TEXT NOT NULL,
        holder          TEXT NOT NULL,
        attempts        INTEGER NOT NULL,
        lease           REAL NOT NULL,
        active_at       REAL NOT NULL,
        reason          TEXT NOT NULL,
        evidence        TEXT NOT NULL,
        created         REAL NOT NULL,
        changed         REAL NOT NULL,
        CHECK ((agent = '') = (state = 'open') OR state IN ('done', 'failed'))
    );
    CREATE INDEX tasks_open ON tasks (priority, created) WHERE state NOT IN ('done', 'failed');
    CREATE TABLE task_log (
        id              INTEGER PRIMARY KEY,
        task            TEXT NOT NULL,
        at              REAL NOT NULL,
        actor           TEXT NOT NULL,
        verb            TEXT NOT NULL,
        holder          TEXT NOT NULL,
        words           TEXT NOT NULL
    );
    CREATE INDEX task_log_by_task ON task_log (task);
    """,
    # 8: what is enforced in a team, which agents were reminded of a breach, and restarts.
    """
    CREATE TABLE team_rules (
        team            BLOB PRIMARY KEY,
        may_message     TEXT NOT NULL
    );
    CREATE TABLE reminders (
        team            BLOB NOT NULL,
        rule            TEXT NOT NULL,
        agent           TEXT NOT NULL,
        subject         TEXT NOT NULL,
        seen            TEXT NOT NULL,
        at              REAL NOT NULL,
        parent_at       REAL,
        PRIMARY KEY (team, rule, agent, subject)
    );
    CREATE TABLE restarts (
        team            BLOB NOT NULL,
        name            TEXT NOT NULL,
        noticed         REAL NOT NULL,
        due             REAL NOT NULL,
        at              REAL
    );
    CREATE INDEX restarts_by_member ON restarts (team, name);
    """,
    # 9: the author of a message, and whether a team's agreement applies to it; the identities of
    # the parents of agents and check-ins, and of a check-in's fallback.
    """
    ALTER TABLE agents ADD COLUMN parent_agent TEXT NOT NULL DEFAULT '';
    ALTER TABLE checkins ADD COLUMN fallback_agent TEXT NOT NULL DEFAULT '';
    ALTER TABLE checkins ADD COLUMN parent_agent TEXT NOT NULL DEFAULT '';
    ALTER TABLE messages ADD COLUMN free INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE messages ADD COLUMN author TEXT NOT NULL DEFAULT '';
    ALTER TABLE messages ADD COLUMN permitted INTEGER NOT NULL DEFAULT 0;
    """,
    # 10: an index of the few messages that are not settled.
    """
    CREATE INDEX messages_open ON messages (server, pane, pane_pid) WHERE step <> 'done';
    """,
    # 11: indexes of messages of agents by time, and of reports with text; old events can be
    # deleted.
    """
    CREATE INDEX messages_sent ON messages (created) WHERE sender <> '';
    CREATE INDEX hook_events_said ON hook_events (at)
        WHERE (prompt <> '' OR instr(detail, 'last_assistant_message') > 0);
    DROP TRIGGER events_are_not_deleted;
    CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events
        WHEN OLD.at > CAST(strftime('%s', 'now') AS REAL) - 30 * 86400
        BEGIN SELECT RAISE(ABORT, 'events are append-only for 30 days'); END;
    """,
    # 12: an index of the few unknown messages, by the time of their last change.
    """
    CREATE INDEX messages_unknown ON messages (updated) WHERE state = 'unknown' AND step = 'done';
    """,
    # 13: the team files that people have accepted, as they were then ('' for none), and the other
    # version that people were told about.
    """
    CREATE TABLE team_accepted (
        team            BLOB PRIMARY KEY,
        digest          TEXT NOT NULL,
        text            BLOB NOT NULL,
        at              REAL NOT NULL,
        told            TEXT NOT NULL DEFAULT ''
    );
    """,
    # 14: identities beside names of agents, because a later agent can have the name.
    """
    ALTER TABLE task_log ADD COLUMN agent TEXT NOT NULL DEFAULT '';
    ALTER TABLE tasks ADD COLUMN creator_agent TEXT NOT NULL DEFAULT '';
    ALTER TABLE checkins ADD COLUMN creator_agent TEXT NOT NULL DEFAULT '';
    """,
    # 15: what protected a message from answering a dialog.
    """
    ALTER TABLE messages ADD COLUMN submit TEXT NOT NULL DEFAULT '{}';
    """,
    # 16: of which agent an event is, by identity; a cursor through all events, which knows what was
    # deleted before it; states of agents, of which there are many, may be deleted sooner.
    """
    ALTER TABLE events ADD COLUMN agent TEXT NOT NULL DEFAULT '';
    CREATE INDEX events_by_time ON events (at);
    CREATE INDEX states_by_agent ON events (agent, id) WHERE verb = 'state';
    CREATE INDEX states_by_time ON events (at) WHERE verb = 'state';
    CREATE TABLE event_stream (
        identity        TEXT NOT NULL,
        deleted         INTEGER NOT NULL DEFAULT 0
    );
    INSERT INTO event_stream (identity) VALUES (lower(hex(randomblob(4))));
    CREATE TRIGGER events_were_deleted AFTER DELETE ON events
        BEGIN UPDATE event_stream SET deleted = max(deleted, OLD.id); END;
    CREATE TABLE event_readers (
        name            TEXT PRIMARY KEY,
        seen            INTEGER NOT NULL
    );
    DROP TRIGGER events_are_not_deleted;
    CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events
        WHEN OLD.verb <> 'state' AND OLD.at > CAST(strftime('%s', 'now') AS REAL) - 30 * 86400
        BEGIN SELECT RAISE(ABORT, 'events are append-only for 30 days'); END;
    """,
    # 17: when a person last looked, at an agent (by its identity) or at anything ('').
    """
    CREATE TABLE looks (
        what            TEXT PRIMARY KEY,
        at              REAL NOT NULL,
        before          REAL NOT NULL
    );
    """,
    # 18: the rules of an accepted team file that answer permission requests.
    """
    ALTER TABLE team_accepted ADD COLUMN rules TEXT NOT NULL DEFAULT '';
    """,
    # 19: the conversation that an agent's program has, and how the program was started: its
    # arguments, and the names of the variables that were set for it.
    """
    ALTER TABLE agents ADD COLUMN conversation TEXT NOT NULL DEFAULT '';
    ALTER TABLE agents ADD COLUMN arguments TEXT NOT NULL DEFAULT '[]';
    ALTER TABLE agents ADD COLUMN variables TEXT NOT NULL DEFAULT '[]';
    """,
    # 20: since when an agent is frozen.
    """
    ALTER TABLE agents ADD COLUMN frozen REAL;
    """,
    # 21: what is done for agents that are in no team file when they end, and how often memory had
    # run out around programs; an index of when agents were started and ended.
    """
    CREATE TABLE policies (
        agent           TEXT PRIMARY KEY,
        restart         TEXT NOT NULL CHECK (restart IN ('never', 'on-failure', 'always'))
    );
    CREATE TABLE memory_kills (agent TEXT PRIMARY KEY, file TEXT NOT NULL, number INTEGER NOT NULL);
    CREATE INDEX lives_by_agent ON events (agent, id) WHERE verb IN ('spawn', 'end');
    """,
    # 22: how windows and panes were arranged at each tmux server.
    """
    CREATE TABLE arrangements (
        socket          TEXT PRIMARY KEY,
        taken           REAL NOT NULL,
        sessions        TEXT NOT NULL
    );
    """,
    # 23: usage limits that are over, and which agents were told to go on then.
    """
    CREATE TABLE limits_over (
        agent           TEXT NOT NULL,
        until           INTEGER NOT NULL,
        at              REAL NOT NULL,
        account         TEXT NOT NULL,
        message         TEXT NOT NULL,
        why             TEXT NOT NULL,
        PRIMARY KEY (agent, until)
    );
    """,
    # 24: what is done for an agent that makes no progress, and what was done.
    """
    ALTER TABLE policies ADD COLUMN stalled TEXT NOT NULL DEFAULT 'tell'
                        CHECK (stalled IN ('tell', 'nudge', 'restart'));
    CREATE TABLE stalls (
        agent           TEXT NOT NULL,
        stall           INTEGER NOT NULL,
        nudged          REAL NOT NULL,
        message         TEXT NOT NULL,
        ended           REAL,
        outcome         TEXT NOT NULL,
        PRIMARY KEY (agent, stall)
    );
    """,
    # 25: since when an agent is hibernated, and after how long it is.
    """
    ALTER TABLE agents ADD COLUMN hibernated REAL;
    ALTER TABLE policies ADD COLUMN hibernate TEXT NOT NULL DEFAULT '';
    """,
    # 26: which tmux server a hook's program ran in: ids of panes begin again with each.
    """
    ALTER TABLE hook_events ADD COLUMN server INTEGER;
    """,
    # 27: since when an agent's program is being ended to hibernate it.
    """
    ALTER TABLE agents ADD COLUMN hibernating REAL;
    """,
)
