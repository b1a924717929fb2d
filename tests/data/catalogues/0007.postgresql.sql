SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE FUNCTION public.agetrace_refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
  raise exception 'table % is append-only: a correction is a new row', tg_table_name
    using errcode = 'restrict_violation';
end $$;
CREATE FUNCTION public.agetrace_shot_status_from_shot() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ begin insert into shot_status (shot_id, triggered_at) values (new.id, new.triggered_at) on conflict (shot_id) do nothing; return null; end $$;
CREATE FUNCTION public.agetrace_shot_status_from_shot_event() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ begin update shot_status set state = new.name, state_event_id = new.id where shot_id = new.shot_id and (state_event_id is null or state_event_id < new.id); return null; end $$;
CREATE FUNCTION public.agetrace_shot_status_from_verdict() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ begin update shot_status set verdict = new.verdict, verdict_id = new.id where shot_id = new.shot_id and (verdict_id is null or verdict_id < new.id); return null; end $$;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.asset (
    id bigint NOT NULL,
    sha256 character varying NOT NULL,
    bytes bigint NOT NULL,
    role character varying NOT NULL,
    shot_id bigint,
    original_name character varying,
    width bigint,
    height bigint,
    exif json,
    metadata_reader character varying,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_asset_role CHECK (((role)::text = ANY ((ARRAY['raw'::character varying, 'jpeg'::character varying, 'preview'::character varying, 'sidecar'::character varying, 'other'::character varying, 'manifest'::character varying, 'model'::character varying, 'measurement'::character varying])::text[]))),
    CONSTRAINT ck_asset_sha256_length CHECK ((length((sha256)::text) = 64))
);
CREATE SEQUENCE public.asset_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.asset_id_seq OWNED BY public.asset.id;
CREATE TABLE public.asset_location (
    asset_id bigint NOT NULL,
    store_id bigint NOT NULL,
    verified_at timestamp with time zone NOT NULL,
    problem character varying,
    problem_at timestamp with time zone,
    CONSTRAINT ck_asset_location_problem CHECK (((problem IS NULL) OR ((problem)::text = ANY ((ARRAY['damaged'::character varying, 'missing'::character varying, 'unreadable'::character varying])::text[]))))
);
CREATE TABLE public.asset_reference (
    id bigint NOT NULL,
    asset_id bigint NOT NULL,
    session_id bigint NOT NULL,
    folder character varying NOT NULL,
    path character varying NOT NULL,
    at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.asset_reference_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.asset_reference_id_seq OWNED BY public.asset_reference.id;
CREATE TABLE public.audit (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    action character varying NOT NULL,
    entry json NOT NULL,
    previous_sha256 character varying NOT NULL,
    sha256 character varying NOT NULL
);
CREATE SEQUENCE public.audit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.audit_id_seq OWNED BY public.audit.id;
CREATE TABLE public.camera (
    id bigint NOT NULL,
    serial character varying NOT NULL,
    identity_source character varying NOT NULL,
    make character varying NOT NULL,
    model character varying NOT NULL,
    simulated boolean NOT NULL,
    sensor_type character varying,
    width bigint,
    height bigint,
    pixel_pitch_um double precision,
    cfa character varying,
    white_level bigint,
    registered_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_camera_identity_source CHECK (((identity_source)::text = ANY ((ARRAY['serial'::character varying, 'alias'::character varying])::text[])))
);
CREATE TABLE public.camera_fingerprint (
    id bigint NOT NULL,
    camera_id bigint NOT NULL,
    code_version character varying NOT NULL,
    inputs json NOT NULL,
    fingerprint_asset_id bigint NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.camera_fingerprint_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.camera_fingerprint_id_seq OWNED BY public.camera_fingerprint.id;
CREATE SEQUENCE public.camera_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.camera_id_seq OWNED BY public.camera.id;
CREATE TABLE public.clock_probe (
    id bigint NOT NULL,
    camera_id bigint NOT NULL,
    session_id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    skew_s double precision NOT NULL,
    source character varying NOT NULL,
    CONSTRAINT ck_clock_probe_source CHECK (((source)::text = ANY ((ARRAY['probe'::character varying, 'exif'::character varying])::text[])))
);
CREATE SEQUENCE public.clock_probe_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.clock_probe_id_seq OWNED BY public.clock_probe.id;
CREATE TABLE public.daemon (
    id bigint NOT NULL,
    uuid character varying NOT NULL,
    holder character varying NOT NULL,
    version character varying NOT NULL,
    clock_source character varying NOT NULL,
    state character varying NOT NULL,
    started_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_daemon_state CHECK (((state)::text = ANY ((ARRAY['running'::character varying, 'draining'::character varying, 'stopped'::character varying])::text[])))
);
CREATE SEQUENCE public.daemon_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.daemon_id_seq OWNED BY public.daemon.id;
CREATE TABLE public.dataset (
    id bigint NOT NULL,
    version character varying NOT NULL,
    name character varying NOT NULL,
    specification json NOT NULL,
    waived json NOT NULL,
    manifest_asset_id bigint NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE TABLE public.dataset_audit (
    id bigint NOT NULL,
    uuid character varying NOT NULL,
    manifest_version character varying NOT NULL,
    verdict character varying NOT NULL,
    rules json NOT NULL,
    parameters json NOT NULL,
    report_asset_id bigint NOT NULL,
    code_version character varying NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_dataset_audit_verdict CHECK (((verdict)::text = ANY ((ARRAY['pass'::character varying, 'warn'::character varying, 'fail'::character varying])::text[])))
);
CREATE SEQUENCE public.dataset_audit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.dataset_audit_id_seq OWNED BY public.dataset_audit.id;
CREATE TABLE public.dataset_freeze (
    dataset_id bigint NOT NULL,
    audit_id bigint NOT NULL,
    forced_reason character varying,
    family character varying,
    fold bigint,
    CONSTRAINT ck_dataset_freeze_fold_of_family CHECK (((family IS NULL) = (fold IS NULL)))
);
CREATE SEQUENCE public.dataset_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.dataset_id_seq OWNED BY public.dataset.id;
CREATE TABLE public.dataset_item (
    dataset_id bigint NOT NULL,
    "position" bigint NOT NULL,
    asset_id bigint NOT NULL,
    class_name character varying NOT NULL,
    block character varying NOT NULL
);
CREATE TABLE public.defect_extraction (
    id bigint NOT NULL,
    session_id bigint NOT NULL,
    camera_id bigint NOT NULL,
    code_version character varying NOT NULL,
    parameters json NOT NULL,
    parameters_sha256 character varying NOT NULL,
    inputs json NOT NULL,
    summary json NOT NULL,
    maps_asset_id bigint,
    started_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.defect_extraction_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.defect_extraction_id_seq OWNED BY public.defect_extraction.id;
CREATE TABLE public.defect_ledger (
    id bigint NOT NULL,
    uuid character varying NOT NULL,
    camera_id bigint NOT NULL,
    code_version character varying NOT NULL,
    parameters json NOT NULL,
    inputs json NOT NULL,
    summary json NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.defect_ledger_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.defect_ledger_id_seq OWNED BY public.defect_ledger.id;
CREATE TABLE public.defect_observation (
    extraction_id bigint NOT NULL,
    "row" bigint NOT NULL,
    "column" bigint NOT NULL,
    kind character varying NOT NULL,
    dark_rate_dn_per_s double precision,
    dark_rate_error_dn_per_s double precision,
    offset_dn double precision,
    offset_error_dn double precision,
    amplitude_dn double precision NOT NULL,
    significance double precision NOT NULL,
    flags json NOT NULL
);
CREATE TABLE public.dust_spot (
    extraction_id bigint NOT NULL,
    number bigint NOT NULL,
    "row" double precision NOT NULL,
    "column" double precision NOT NULL,
    radius_photosites double precision NOT NULL,
    depth double precision NOT NULL,
    depth_error double precision NOT NULL,
    significance double precision NOT NULL
);
CREATE TABLE public.experiment (
    id bigint NOT NULL,
    uuid character varying NOT NULL,
    name character varying NOT NULL,
    dataset_id bigint NOT NULL,
    specification json NOT NULL,
    content_sha256 character varying NOT NULL,
    code_version character varying NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.experiment_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.experiment_id_seq OWNED BY public.experiment.id;
CREATE TABLE public.fixture (
    id bigint NOT NULL,
    name character varying NOT NULL,
    simulated boolean NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.fixture_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.fixture_id_seq OWNED BY public.fixture.id;
CREATE TABLE public.fixture_revision (
    id bigint NOT NULL,
    fixture_id bigint NOT NULL,
    revision bigint NOT NULL,
    content_sha256 character varying NOT NULL,
    description json NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.fixture_revision_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.fixture_revision_id_seq OWNED BY public.fixture_revision.id;
CREATE TABLE public.flat_extraction (
    id bigint NOT NULL,
    session_id bigint NOT NULL,
    camera_id bigint NOT NULL,
    code_version character varying NOT NULL,
    parameters json NOT NULL,
    parameters_sha256 character varying NOT NULL,
    inputs json NOT NULL,
    summary json NOT NULL,
    started_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.flat_extraction_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.flat_extraction_id_seq OWNED BY public.flat_extraction.id;
CREATE TABLE public.flat_observation (
    extraction_id bigint NOT NULL,
    "row" bigint NOT NULL,
    "column" bigint NOT NULL,
    kind character varying NOT NULL,
    response double precision NOT NULL,
    response_error double precision NOT NULL,
    significance double precision NOT NULL,
    under_dust boolean NOT NULL
);
CREATE TABLE public.frame_measures (
    asset_id bigint NOT NULL,
    black_level_dn double precision,
    mean_dn double precision,
    clipped_share double precision,
    sharpness double precision,
    temperature_c double precision,
    code_version character varying NOT NULL,
    measured_at timestamp with time zone NOT NULL
);
CREATE TABLE public.job (
    id bigint NOT NULL,
    uuid character varying NOT NULL,
    name character varying NOT NULL,
    subject character varying NOT NULL,
    command json NOT NULL,
    limit_s double precision NOT NULL,
    state character varying NOT NULL,
    reason character varying,
    detail character varying,
    due_at timestamp with time zone NOT NULL,
    attempts bigint NOT NULL,
    started_at timestamp with time zone,
    ended_at timestamp with time zone,
    exit_code bigint,
    log character varying,
    CONSTRAINT ck_job_state CHECK (((state)::text = ANY ((ARRAY['pending'::character varying, 'running'::character varying, 'completed'::character varying, 'failed'::character varying, 'cancelled'::character varying])::text[])))
);
CREATE TABLE public.job_event (
    id bigint NOT NULL,
    job_id bigint NOT NULL,
    name character varying NOT NULL,
    at timestamp with time zone NOT NULL,
    by character varying,
    detail character varying,
    CONSTRAINT ck_job_event_name CHECK (((name)::text = ANY ((ARRAY['pending'::character varying, 'running'::character varying, 'completed'::character varying, 'failed'::character varying, 'cancelled'::character varying])::text[])))
);
CREATE SEQUENCE public.job_event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.job_event_id_seq OWNED BY public.job_event.id;
CREATE SEQUENCE public.job_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.job_id_seq OWNED BY public.job.id;
CREATE TABLE public.lease (
    resource character varying NOT NULL,
    holder character varying NOT NULL,
    fencing_token bigint NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.ledger_defect (
    ledger_id bigint NOT NULL,
    "row" bigint NOT NULL,
    "column" bigint NOT NULL,
    kind character varying NOT NULL,
    pre_existing boolean NOT NULL,
    onset_after timestamp with time zone,
    onset_before timestamp with time zone NOT NULL,
    last_seen timestamp with time zone NOT NULL,
    dark_rate_dn_per_s double precision,
    dark_rate_error_dn_per_s double precision,
    offset_dn double precision,
    offset_error_dn double precision,
    amplitude_dn double precision NOT NULL,
    significance double precision NOT NULL,
    blinking boolean NOT NULL,
    annealed boolean NOT NULL,
    flags json NOT NULL,
    mapped_out boolean
);
CREATE TABLE public.ledger_history (
    ledger_id bigint NOT NULL,
    series_asset_id bigint NOT NULL,
    mapping_events json NOT NULL
);
CREATE TABLE public.model_event (
    id bigint NOT NULL,
    model_id bigint NOT NULL,
    state character varying NOT NULL,
    at timestamp with time zone NOT NULL,
    operator character varying,
    reason character varying NOT NULL,
    numbers json,
    CONSTRAINT ck_model_event_state CHECK (((state)::text = ANY ((ARRAY['candidate'::character varying, 'in-service'::character varying, 'retired'::character varying, 'rejected'::character varying])::text[])))
);
CREATE SEQUENCE public.model_event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.model_event_id_seq OWNED BY public.model_event.id;
CREATE TABLE public.mounted_camera (
    fixture_revision_id bigint NOT NULL,
    camera_id bigint NOT NULL,
    address character varying NOT NULL
);
CREATE TABLE public.notification (
    id bigint NOT NULL,
    uuid character varying NOT NULL,
    channel character varying NOT NULL,
    subject character varying NOT NULL,
    title character varying NOT NULL,
    body character varying NOT NULL,
    state character varying NOT NULL,
    attempts bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    next_attempt_at timestamp with time zone NOT NULL,
    sent_at timestamp with time zone,
    error character varying,
    CONSTRAINT ck_notification_state CHECK (((state)::text = ANY ((ARRAY['pending'::character varying, 'sent'::character varying, 'failed'::character varying])::text[])))
);
CREATE SEQUENCE public.notification_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.notification_id_seq OWNED BY public.notification.id;
CREATE TABLE public.occurrence (
    id bigint NOT NULL,
    uuid character varying NOT NULL,
    schedule_id bigint NOT NULL,
    due_at timestamp with time zone NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    window_ends_at timestamp with time zone NOT NULL,
    state character varying NOT NULL,
    reason character varying,
    detail character varying,
    attempts bigint NOT NULL,
    not_before timestamp with time zone,
    settled_at timestamp with time zone,
    CONSTRAINT ck_occurrence_state CHECK (((state)::text = ANY ((ARRAY['pending'::character varying, 'claimed'::character varying, 'completed'::character varying, 'partial'::character varying, 'failed'::character varying, 'missed'::character varying, 'cancelled'::character varying])::text[])))
);
CREATE TABLE public.occurrence_event (
    id bigint NOT NULL,
    occurrence_id bigint NOT NULL,
    name character varying NOT NULL,
    at timestamp with time zone NOT NULL,
    by character varying,
    reason character varying,
    detail character varying,
    CONSTRAINT ck_occurrence_event_name CHECK (((name)::text = ANY ((ARRAY['pending'::character varying, 'attended'::character varying, 'waiting'::character varying, 'claimed'::character varying, 'taken-over'::character varying, 'completed'::character varying, 'partial'::character varying, 'failed'::character varying, 'missed'::character varying, 'cancelled'::character varying])::text[])))
);
CREATE SEQUENCE public.occurrence_event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.occurrence_event_id_seq OWNED BY public.occurrence_event.id;
CREATE SEQUENCE public.occurrence_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.occurrence_id_seq OWNED BY public.occurrence.id;
CREATE TABLE public.occurrence_session (
    session_id bigint NOT NULL,
    occurrence_id bigint NOT NULL
);
CREATE TABLE public.operator_answer (
    id bigint NOT NULL,
    prompt_id bigint NOT NULL,
    answer character varying NOT NULL,
    operator character varying,
    answered_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_operator_answer_answer CHECK (((answer)::text = ANY ((ARRAY['done'::character varying, 'refused'::character varying])::text[])))
);
CREATE SEQUENCE public.operator_answer_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.operator_answer_id_seq OWNED BY public.operator_answer.id;
CREATE TABLE public.operator_prompt (
    id bigint NOT NULL,
    uuid character varying NOT NULL,
    session_id bigint NOT NULL,
    kind character varying NOT NULL,
    text character varying NOT NULL,
    asked_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_operator_prompt_kind CHECK (((kind)::text = ANY ((ARRAY['scene'::character varying, 'cap'::character varying])::text[])))
);
CREATE SEQUENCE public.operator_prompt_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.operator_prompt_id_seq OWNED BY public.operator_prompt.id;
CREATE TABLE public.perceptual_hash (
    asset_id bigint NOT NULL,
    hash character varying,
    code_version character varying NOT NULL,
    measured_at timestamp with time zone NOT NULL
);
CREATE TABLE public.prediction (
    id bigint NOT NULL,
    run_id bigint NOT NULL,
    evaluation character varying NOT NULL,
    asset_id bigint NOT NULL,
    class_name character varying NOT NULL,
    predicted_class_name character varying NOT NULL,
    score double precision NOT NULL,
    crops bigint NOT NULL,
    crops_correct bigint NOT NULL,
    CONSTRAINT ck_prediction_score CHECK (((score >= (0)::double precision) AND (score <= (1)::double precision)))
);
CREATE SEQUENCE public.prediction_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.prediction_id_seq OWNED BY public.prediction.id;
CREATE TABLE public.recipe (
    id bigint NOT NULL,
    name character varying NOT NULL,
    content_sha256 character varying NOT NULL,
    body json NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.recipe_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.recipe_id_seq OWNED BY public.recipe.id;
CREATE TABLE public.registered_model (
    id bigint NOT NULL,
    uuid character varying NOT NULL,
    name character varying NOT NULL,
    version bigint NOT NULL,
    experiment_id bigint NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.registered_model_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.registered_model_id_seq OWNED BY public.registered_model.id;
CREATE TABLE public.retraining (
    id bigint NOT NULL,
    uuid character varying NOT NULL,
    policy character varying NOT NULL,
    timeslot_id bigint NOT NULL,
    policy_document json NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE TABLE public.retraining_event (
    id bigint NOT NULL,
    retraining_id bigint NOT NULL,
    step character varying NOT NULL,
    at timestamp with time zone NOT NULL,
    reason character varying,
    numbers json NOT NULL,
    CONSTRAINT ck_retraining_event_step CHECK (((step)::text = ANY ((ARRAY['begun'::character varying, 'frozen'::character varying, 'unchanged'::character varying, 'refused'::character varying, 'trained'::character varying, 'promoted'::character varying, 'kept'::character varying, 'failed'::character varying])::text[])))
);
CREATE SEQUENCE public.retraining_event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.retraining_event_id_seq OWNED BY public.retraining_event.id;
CREATE SEQUENCE public.retraining_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.retraining_id_seq OWNED BY public.retraining.id;
CREATE TABLE public.run (
    id bigint NOT NULL,
    uuid character varying NOT NULL,
    experiment_id bigint NOT NULL,
    ordinal bigint NOT NULL,
    seed bigint NOT NULL,
    machine json NOT NULL,
    training_history json NOT NULL,
    model_asset_id bigint NOT NULL,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone NOT NULL
);
CREATE TABLE public.run_execution (
    run_id bigint NOT NULL,
    dataset_id bigint NOT NULL,
    execution json NOT NULL,
    selected_step bigint NOT NULL,
    validation_history json NOT NULL
);
CREATE SEQUENCE public.run_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.run_id_seq OWNED BY public.run.id;
CREATE TABLE public.run_predictions (
    run_id bigint NOT NULL,
    evaluation character varying NOT NULL,
    predictions_asset_id bigint NOT NULL
);
CREATE TABLE public.saliency_map (
    id bigint NOT NULL,
    run_id bigint NOT NULL,
    camera_id bigint NOT NULL,
    method character varying NOT NULL,
    evaluation character varying NOT NULL,
    class_name character varying NOT NULL,
    images bigint NOT NULL,
    map_asset_id bigint NOT NULL,
    measures json NOT NULL
);
CREATE SEQUENCE public.saliency_map_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.saliency_map_id_seq OWNED BY public.saliency_map.id;
CREATE TABLE public.saved_selection (
    id bigint NOT NULL,
    name character varying NOT NULL,
    expression character varying NOT NULL,
    timeslot_scheme character varying,
    operator character varying,
    created_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.saved_selection_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.saved_selection_id_seq OWNED BY public.saved_selection.id;
CREATE TABLE public.scene (
    id bigint NOT NULL,
    fixture_id bigint NOT NULL,
    name character varying NOT NULL
);
CREATE SEQUENCE public.scene_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.scene_id_seq OWNED BY public.scene.id;
CREATE TABLE public.scene_reference (
    id bigint NOT NULL,
    scene_revision_id bigint NOT NULL,
    camera_id bigint NOT NULL,
    shot_id bigint NOT NULL,
    descriptor bytea NOT NULL,
    operator character varying,
    created_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.scene_reference_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.scene_reference_id_seq OWNED BY public.scene_reference.id;
CREATE TABLE public.scene_revision (
    id bigint NOT NULL,
    scene_id bigint NOT NULL,
    revision bigint NOT NULL,
    fixture_revision_id bigint NOT NULL,
    background character varying NOT NULL,
    foreground character varying NOT NULL,
    illumination character varying NOT NULL,
    content_sha256 character varying NOT NULL
);
CREATE SEQUENCE public.scene_revision_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.scene_revision_id_seq OWNED BY public.scene_revision.id;
CREATE TABLE public.schedule (
    id bigint NOT NULL,
    uuid character varying NOT NULL,
    name character varying NOT NULL,
    fixture_id bigint NOT NULL,
    recipe_id bigint NOT NULL,
    description json NOT NULL,
    operator character varying,
    created_at timestamp with time zone NOT NULL
);
CREATE TABLE public.schedule_event (
    id bigint NOT NULL,
    schedule_id bigint NOT NULL,
    name character varying NOT NULL,
    at timestamp with time zone NOT NULL,
    operator character varying,
    reason character varying,
    CONSTRAINT ck_schedule_event_name CHECK (((name)::text = ANY ((ARRAY['added'::character varying, 'paused'::character varying, 'resumed'::character varying, 'retired'::character varying])::text[])))
);
CREATE SEQUENCE public.schedule_event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.schedule_event_id_seq OWNED BY public.schedule_event.id;
CREATE TABLE public.schedule_expansion (
    schedule_id bigint NOT NULL,
    expanded_until timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.schedule_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.schedule_id_seq OWNED BY public.schedule.id;
CREATE TABLE public.session (
    id bigint NOT NULL,
    uuid character varying NOT NULL,
    kind character varying NOT NULL,
    fixture_revision_id bigint,
    recipe_id bigint,
    operator character varying,
    clock_source character varying NOT NULL,
    started_at timestamp with time zone NOT NULL,
    note character varying,
    CONSTRAINT ck_session_clock_source CHECK (((clock_source)::text = ANY ((ARRAY['host'::character varying, 'simulated'::character varying])::text[]))),
    CONSTRAINT ck_session_kind CHECK (((kind)::text = ANY ((ARRAY['capture'::character varying, 'import'::character varying])::text[])))
);
CREATE TABLE public.session_event (
    id bigint NOT NULL,
    session_id bigint NOT NULL,
    name character varying NOT NULL,
    at timestamp with time zone NOT NULL,
    detail json,
    CONSTRAINT ck_session_event_name CHECK (((name)::text = ANY ((ARRAY['started'::character varying, 'camera-opened'::character varying, 'camera-closed'::character varying, 'camera-failed'::character varying, 'camera-lost'::character varying, 'clock-jumped'::character varying, 'scene-changed'::character varying, 'paused'::character varying, 'resumed'::character varying, 'completed'::character varying, 'partial'::character varying, 'aborted'::character varying, 'failed'::character varying])::text[])))
);
CREATE SEQUENCE public.session_event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.session_event_id_seq OWNED BY public.session_event.id;
CREATE SEQUENCE public.session_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.session_id_seq OWNED BY public.session.id;
CREATE TABLE public.session_request (
    id bigint NOT NULL,
    session_id bigint NOT NULL,
    name character varying NOT NULL,
    operator character varying,
    at timestamp with time zone NOT NULL,
    CONSTRAINT ck_session_request_name CHECK (((name)::text = ANY ((ARRAY['pause'::character varying, 'resume'::character varying, 'finish'::character varying, 'abort'::character varying])::text[])))
);
CREATE SEQUENCE public.session_request_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.session_request_id_seq OWNED BY public.session_request.id;
CREATE TABLE public.shot (
    id bigint NOT NULL,
    uuid character varying NOT NULL,
    session_id bigint NOT NULL,
    camera_id bigint,
    sequence bigint NOT NULL,
    attempt bigint NOT NULL,
    kind character varying NOT NULL,
    scene_revision_id bigint,
    triggered_at timestamp with time zone,
    time_source character varying,
    exposure character varying,
    exposure_s double precision,
    iso bigint,
    f_number double precision,
    image_quality character varying,
    warm_up boolean NOT NULL,
    since_opened_s double precision,
    since_last_shot_s double precision,
    time_uncertainty_s double precision,
    CONSTRAINT ck_shot_kind CHECK (((kind)::text = ANY ((ARRAY['dark-field'::character varying, 'flat-field'::character varying, 'fixed-background'::character varying, 'natural'::character varying])::text[]))),
    CONSTRAINT ck_shot_time_source CHECK (((time_source IS NULL) OR ((time_source)::text = ANY ((ARRAY['civil'::character varying, 'exif'::character varying, 'declared'::character varying])::text[]))))
);
CREATE TABLE public.shot_event (
    id bigint NOT NULL,
    shot_id bigint NOT NULL,
    name character varying NOT NULL,
    at timestamp with time zone NOT NULL,
    detail json,
    CONSTRAINT ck_shot_event_name CHECK (((name)::text = ANY ((ARRAY['planned'::character varying, 'triggered'::character varying, 'downloaded'::character varying, 'verified'::character varying, 'registered'::character varying, 'failed'::character varying])::text[])))
);
CREATE SEQUENCE public.shot_event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.shot_event_id_seq OWNED BY public.shot_event.id;
CREATE SEQUENCE public.shot_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.shot_id_seq OWNED BY public.shot.id;
CREATE TABLE public.shot_settings (
    id bigint NOT NULL,
    shot_id bigint NOT NULL,
    source character varying NOT NULL,
    exposure_s double precision,
    iso bigint,
    f_number double precision,
    image_quality character varying,
    temperature_c double precision,
    taken_at timestamp with time zone,
    taken_at_text character varying,
    firmware character varying,
    long_exposure_noise_reduction boolean,
    raw_values json,
    CONSTRAINT ck_shot_settings_source CHECK (((source)::text = ANY ((ARRAY['read-back'::character varying, 'exif'::character varying])::text[])))
);
CREATE SEQUENCE public.shot_settings_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.shot_settings_id_seq OWNED BY public.shot_settings.id;
CREATE TABLE public.shot_status (
    shot_id bigint NOT NULL,
    triggered_at timestamp with time zone,
    state character varying,
    state_event_id bigint,
    verdict character varying,
    verdict_id bigint
);
CREATE TABLE public.staged_scene (
    fixture_revision_id bigint NOT NULL,
    scene_revision_id bigint NOT NULL
);
CREATE TABLE public.store (
    id bigint NOT NULL,
    name character varying NOT NULL,
    kind character varying NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.store_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.store_id_seq OWNED BY public.store.id;
CREATE TABLE public.timeslot (
    id bigint NOT NULL,
    scheme_id bigint CONSTRAINT timeslot_scheme_id_not_null1 NOT NULL,
    ordinal bigint NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_timeslot_not_empty CHECK ((starts_at < ends_at))
);
CREATE SEQUENCE public.timeslot_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.timeslot_id_seq OWNED BY public.timeslot.id;
CREATE TABLE public.timeslot_scheme (
    id bigint NOT NULL,
    name character varying NOT NULL,
    description character varying,
    created_at timestamp with time zone NOT NULL,
    zone character varying
);
CREATE SEQUENCE public.timeslot_scheme_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.timeslot_scheme_id_seq OWNED BY public.timeslot_scheme.id;
CREATE TABLE public.verdict (
    id bigint NOT NULL,
    shot_id bigint NOT NULL,
    verdict character varying NOT NULL,
    reason character varying NOT NULL,
    numbers json,
    author character varying NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT ck_verdict_verdict CHECK (((verdict)::text = ANY ((ARRAY['accepted'::character varying, 'quarantined'::character varying, 'rejected'::character varying])::text[])))
);
CREATE SEQUENCE public.verdict_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.verdict_id_seq OWNED BY public.verdict.id;
ALTER TABLE ONLY public.asset ALTER COLUMN id SET DEFAULT nextval('public.asset_id_seq'::regclass);
ALTER TABLE ONLY public.asset_reference ALTER COLUMN id SET DEFAULT nextval('public.asset_reference_id_seq'::regclass);
ALTER TABLE ONLY public.audit ALTER COLUMN id SET DEFAULT nextval('public.audit_id_seq'::regclass);
ALTER TABLE ONLY public.camera ALTER COLUMN id SET DEFAULT nextval('public.camera_id_seq'::regclass);
ALTER TABLE ONLY public.camera_fingerprint ALTER COLUMN id SET DEFAULT nextval('public.camera_fingerprint_id_seq'::regclass);
ALTER TABLE ONLY public.clock_probe ALTER COLUMN id SET DEFAULT nextval('public.clock_probe_id_seq'::regclass);
ALTER TABLE ONLY public.daemon ALTER COLUMN id SET DEFAULT nextval('public.daemon_id_seq'::regclass);
ALTER TABLE ONLY public.dataset ALTER COLUMN id SET DEFAULT nextval('public.dataset_id_seq'::regclass);
ALTER TABLE ONLY public.dataset_audit ALTER COLUMN id SET DEFAULT nextval('public.dataset_audit_id_seq'::regclass);
ALTER TABLE ONLY public.defect_extraction ALTER COLUMN id SET DEFAULT nextval('public.defect_extraction_id_seq'::regclass);
ALTER TABLE ONLY public.defect_ledger ALTER COLUMN id SET DEFAULT nextval('public.defect_ledger_id_seq'::regclass);
ALTER TABLE ONLY public.experiment ALTER COLUMN id SET DEFAULT nextval('public.experiment_id_seq'::regclass);
ALTER TABLE ONLY public.fixture ALTER COLUMN id SET DEFAULT nextval('public.fixture_id_seq'::regclass);
ALTER TABLE ONLY public.fixture_revision ALTER COLUMN id SET DEFAULT nextval('public.fixture_revision_id_seq'::regclass);
ALTER TABLE ONLY public.flat_extraction ALTER COLUMN id SET DEFAULT nextval('public.flat_extraction_id_seq'::regclass);
ALTER TABLE ONLY public.job ALTER COLUMN id SET DEFAULT nextval('public.job_id_seq'::regclass);
ALTER TABLE ONLY public.job_event ALTER COLUMN id SET DEFAULT nextval('public.job_event_id_seq'::regclass);
ALTER TABLE ONLY public.model_event ALTER COLUMN id SET DEFAULT nextval('public.model_event_id_seq'::regclass);
ALTER TABLE ONLY public.notification ALTER COLUMN id SET DEFAULT nextval('public.notification_id_seq'::regclass);
ALTER TABLE ONLY public.occurrence ALTER COLUMN id SET DEFAULT nextval('public.occurrence_id_seq'::regclass);
ALTER TABLE ONLY public.occurrence_event ALTER COLUMN id SET DEFAULT nextval('public.occurrence_event_id_seq'::regclass);
ALTER TABLE ONLY public.operator_answer ALTER COLUMN id SET DEFAULT nextval('public.operator_answer_id_seq'::regclass);
ALTER TABLE ONLY public.operator_prompt ALTER COLUMN id SET DEFAULT nextval('public.operator_prompt_id_seq'::regclass);
ALTER TABLE ONLY public.prediction ALTER COLUMN id SET DEFAULT nextval('public.prediction_id_seq'::regclass);
ALTER TABLE ONLY public.recipe ALTER COLUMN id SET DEFAULT nextval('public.recipe_id_seq'::regclass);
ALTER TABLE ONLY public.registered_model ALTER COLUMN id SET DEFAULT nextval('public.registered_model_id_seq'::regclass);
ALTER TABLE ONLY public.retraining ALTER COLUMN id SET DEFAULT nextval('public.retraining_id_seq'::regclass);
ALTER TABLE ONLY public.retraining_event ALTER COLUMN id SET DEFAULT nextval('public.retraining_event_id_seq'::regclass);
ALTER TABLE ONLY public.run ALTER COLUMN id SET DEFAULT nextval('public.run_id_seq'::regclass);
ALTER TABLE ONLY public.saliency_map ALTER COLUMN id SET DEFAULT nextval('public.saliency_map_id_seq'::regclass);
ALTER TABLE ONLY public.saved_selection ALTER COLUMN id SET DEFAULT nextval('public.saved_selection_id_seq'::regclass);
ALTER TABLE ONLY public.scene ALTER COLUMN id SET DEFAULT nextval('public.scene_id_seq'::regclass);
ALTER TABLE ONLY public.scene_reference ALTER COLUMN id SET DEFAULT nextval('public.scene_reference_id_seq'::regclass);
ALTER TABLE ONLY public.scene_revision ALTER COLUMN id SET DEFAULT nextval('public.scene_revision_id_seq'::regclass);
ALTER TABLE ONLY public.schedule ALTER COLUMN id SET DEFAULT nextval('public.schedule_id_seq'::regclass);
ALTER TABLE ONLY public.schedule_event ALTER COLUMN id SET DEFAULT nextval('public.schedule_event_id_seq'::regclass);
ALTER TABLE ONLY public.session ALTER COLUMN id SET DEFAULT nextval('public.session_id_seq'::regclass);
ALTER TABLE ONLY public.session_event ALTER COLUMN id SET DEFAULT nextval('public.session_event_id_seq'::regclass);
ALTER TABLE ONLY public.session_request ALTER COLUMN id SET DEFAULT nextval('public.session_request_id_seq'::regclass);
ALTER TABLE ONLY public.shot ALTER COLUMN id SET DEFAULT nextval('public.shot_id_seq'::regclass);
ALTER TABLE ONLY public.shot_event ALTER COLUMN id SET DEFAULT nextval('public.shot_event_id_seq'::regclass);
ALTER TABLE ONLY public.shot_settings ALTER COLUMN id SET DEFAULT nextval('public.shot_settings_id_seq'::regclass);
ALTER TABLE ONLY public.store ALTER COLUMN id SET DEFAULT nextval('public.store_id_seq'::regclass);
ALTER TABLE ONLY public.timeslot ALTER COLUMN id SET DEFAULT nextval('public.timeslot_id_seq'::regclass);
ALTER TABLE ONLY public.timeslot_scheme ALTER COLUMN id SET DEFAULT nextval('public.timeslot_scheme_id_seq'::regclass);
ALTER TABLE ONLY public.verdict ALTER COLUMN id SET DEFAULT nextval('public.verdict_id_seq'::regclass);
INSERT INTO public.alembic_version VALUES ('0007');
INSERT INTO public.asset VALUES (1, '0000000000000000000000000000000000000000000000000000000000000001', 5000000001, 'raw', 1, 'IMG_0001.DNG', 6000, 4000, '{"Model": "NIKON D7100", "Comment": "a \"quoted\" \\ \n line"}', 'exiftool 12.57', '2026-03-29 01:03:20.999999+00');
INSERT INTO public.asset VALUES (2, '0000000000000000000000000000000000000000000000000000000000000002', 5000000002, 'jpeg', 1, 'IMG_0002.DNG', 6000, 4000, NULL, NULL, '2026-03-29 01:03:21.999999+00');
INSERT INTO public.asset VALUES (3, '0000000000000000000000000000000000000000000000000000000000000003', 5000000003, 'raw', 4, 'IMG_0003.DNG', 6000, 4000, NULL, NULL, '2026-03-29 01:03:22.999999+00');
INSERT INTO public.asset VALUES (4, '0000000000000000000000000000000000000000000000000000000000000004', 5000000004, 'other', 20, 'IMG_0004.DNG', 6000, 4000, NULL, NULL, '2026-03-29 01:03:23.999999+00');
INSERT INTO public.asset VALUES (5, '0000000000000000000000000000000000000000000000000000000000000005', 5000000005, 'manifest', NULL, NULL, 6000, 4000, NULL, NULL, '2026-03-29 01:03:24.999999+00');
INSERT INTO public.asset VALUES (6, '0000000000000000000000000000000000000000000000000000000000000006', 5000000006, 'model', NULL, NULL, 6000, 4000, NULL, NULL, '2026-03-29 01:03:25.999999+00');
INSERT INTO public.asset VALUES (7, '0000000000000000000000000000000000000000000000000000000000000007', 5000000007, 'measurement', NULL, NULL, 6000, 4000, NULL, NULL, '2026-03-29 01:03:26.999999+00');
INSERT INTO public.asset_location VALUES (1, 1, '2026-03-29 01:08:19.999999+00', NULL, NULL);
INSERT INTO public.asset_location VALUES (2, 1, '2026-03-29 01:06:39.999999+00', NULL, NULL);
INSERT INTO public.asset_location VALUES (3, 1, '2026-03-29 01:08:19.999999+00', 'damaged', '2026-03-29 02:23:19.999999+00');
INSERT INTO public.asset_reference VALUES (1, 4, 2, '/media/old disk', 'DCIM/IMG_0001.JPG', '2026-03-29 02:00:00.999999+00');
INSERT INTO public.audit VALUES (1, '2026-03-29 00:59:59.999999+00', 'fixture.add', '{"name": "north", "revision": 1}', '0000000000000000000000000000000000000000000000000000000000000000', 'e67d5a627334531ab1572ec8bd5674d9a54308889ee616d5a9630335fedee93d');
INSERT INTO public.audit VALUES (2, '2026-03-29 01:01:49.999999+00', 'verdict.add', '{"author": "Ana", "shot": "00000000-0000-4000-8000-000000000001", "verdict": "accepted"}', 'e67d5a627334531ab1572ec8bd5674d9a54308889ee616d5a9630335fedee93d', '0409ee74fc3308f69c3a1fcb9b0d3cacea16952ebdfb6e5fe86f039d1d2f8aba');
INSERT INTO public.audit VALUES (3, '2026-03-29 01:11:39.999999+00', 'dataset.freeze', '{"name": "controlled", "version": "0000000000000000000000000000000000000000000000000000000000000067"}', '0409ee74fc3308f69c3a1fcb9b0d3cacea16952ebdfb6e5fe86f039d1d2f8aba', '7ae8f158b6b66a91eeb0f55f4cc8c576e553242b81c9a77f4dd96fb962987f17');
INSERT INTO public.camera VALUES (1, '7100001', 'serial', 'Nikon', 'D7100', false, 'CMOS', 6000, 4000, 3.9, 'RGGB', 16383, '2026-03-29 00:59:59.999999+00');
INSERT INTO public.camera VALUES (7, 'old body', 'alias', 'Canon', 'PowerShot A720 IS', true, NULL, NULL, NULL, NULL, NULL, NULL, '2026-03-28 00:59:59.999999+00');
INSERT INTO public.camera_fingerprint VALUES (1, 1, '0.6.0', '["0000000000000000000000000000000000000000000000000000000000000001"]', 1, '2026-03-29 02:56:40.999999+00');
INSERT INTO public.clock_probe VALUES (1, 1, 1, '2026-03-29 01:00:01.999999+00', -3599.5, 'probe');
INSERT INTO public.daemon VALUES (1, '00000000-0000-4000-8000-000000000906', 'process 1 on lab', '0.3.0', 'host', 'stopped', '2026-03-29 00:59:59.999999+00', '2026-03-29 02:23:19.999999+00');
INSERT INTO public.dataset VALUES (1, '0000000000000000000000000000000000000000000000000000000000000067', 'controlled', '{"classes": []}', '[]', 5, '2026-03-29 01:11:39.999999+00');
INSERT INTO public.dataset_audit VALUES (1, '00000000-0000-4000-8000-000000000050', '0000000000000000000000000000000000000000000000000000000000000067', 'fail', '{"scene": "fail", "temperature": "inconclusive"}', '{"alpha": 0.05, "permutations": 9999, "seed": 0}', 1, '0.5.0', '2026-03-29 02:39:59.999999+00');
INSERT INTO public.dataset_freeze VALUES (1, 1, 'shows what content does', NULL, NULL);
INSERT INTO public.dataset_item VALUES (1, 0, 1, 'early', 'train');
INSERT INTO public.defect_extraction VALUES (1, 1, 1, '0.1.0', '{"threshold": 5.0}', '0000000000000000000000000000000000000000000000000000000000000068', '["0000000000000000000000000000000000000000000000000000000000000001"]', '{"frames": 2}', 7, '2026-03-29 01:00:00.999999+00', '2026-03-29 01:09:59.999999+00');
INSERT INTO public.defect_ledger VALUES (1, '00000000-0000-4000-8000-000000000900', 1, '0.1.0', '{"threshold": 5.0}', '[1]', '{"defects": 1}', '2026-03-29 01:14:59.999999+00');
INSERT INTO public.defect_observation VALUES (1, 17, 3999, 'hot', 103.1, NULL, -0, 0.5, 412.5, 31, '[]');
INSERT INTO public.dust_spot VALUES (1, 0, 10.5, 20.25, 6, 0.08, 0.004, 20);
INSERT INTO public.experiment VALUES (1, '00000000-0000-4000-8000-000000000901', 'age', 1, '{"network": "srnet"}', '0000000000000000000000000000000000000000000000000000000000000069', '0.1.0', '2026-03-29 01:13:19.999999+00');
INSERT INTO public.fixture VALUES (1, 'north', false, '2026-03-29 00:59:59.999999+00');
INSERT INTO public.fixture_revision VALUES (1, 1, 1, '0000000000000000000000000000000000000000000000000000000000000065', '{"name": "north", "zone": "Europe/Vienna", "width_m": 0.5}', '2026-03-29 00:59:59.999999+00');
INSERT INTO public.flat_extraction VALUES (1, 1, 1, '0.6.0', '{"false_discovery_rate": 0.01}', '000000000000000000000000000000000000000000000000000000000000006e', '["0000000000000000000000000000000000000000000000000000000000000001"]', '{"rows": 64, "columns": 64}', '2026-03-29 01:00:00.999999+00', '2026-03-29 02:56:39.999999+00');
INSERT INTO public.flat_observation VALUES (1, 3, 5, 'dead', 0.01, 0.002, 90.5, false);
INSERT INTO public.frame_measures VALUES (1, 600, 601.5, 0, NULL, 31.5, '0.4.0', '2026-03-29 02:23:19.999999+00');
INSERT INTO public.job VALUES (1, '00000000-0000-4000-8000-000000000905', 'extract-defects', '00000000-0000-4000-8000-000000001001', '["defects", "extract"]', 3600, 'failed', 'exit-code', 'it said: no', '2026-03-29 01:00:59.999999+00', 3, '2026-03-29 01:01:00.999999+00', '2026-03-29 01:01:01.999999+00', 1, 'jobs/1.log');
INSERT INTO public.job_event VALUES (1, 1, 'failed', '2026-03-29 01:01:01.999999+00', NULL, NULL);
INSERT INTO public.lease VALUES ('camera:7100001', 'process 1 on lab', 3, '2026-03-29 01:00:59.999999+00');
INSERT INTO public.ledger_defect VALUES (1, 17, 3999, 'hot', false, '2026-03-28 00:59:59.999999+00', '2026-03-29 00:59:59.999999+00', '2026-03-29 00:59:59.999999+00', 1e-09, 0.30000000000000004, NULL, NULL, 412.5, 31, true, false, '["few-frames"]', NULL);
INSERT INTO public.ledger_history VALUES (1, 1, '[{"session": "00000000-0000-4000-8000-000000000020", "vanished": 40, "at_risk": 44}]');
INSERT INTO public.model_event VALUES (1, 1, 'candidate', '2026-03-29 03:13:20.999999+00', NULL, 'the first of its line', NULL);
INSERT INTO public.model_event VALUES (2, 1, 'in-service', '2026-03-29 03:13:21.999999+00', 'Ana', 'the first of its line', '{"accuracy": 0.9}');
INSERT INTO public.mounted_camera VALUES (1, 1, 'usb:001,004');
INSERT INTO public.notification VALUES (1, '00000000-0000-4000-8000-000000000907', 'lab', 'occurrence 2', 'missed', 'nobody was there', 'sent', 1, '2026-03-29 01:21:39.999999+00', '2026-03-29 01:21:39.999999+00', '2026-03-29 01:21:40.999999+00', NULL);
INSERT INTO public.occurrence VALUES (1, '00000000-0000-4000-8000-000000000911', 1, '2026-03-29 01:09:59.999999+00', '2026-03-29 01:10:04.999999+00', '2026-03-29 01:14:59.999999+00', 'completed', NULL, NULL, 1, NULL, '2026-03-29 01:10:59.999999+00');
INSERT INTO public.occurrence VALUES (2, '00000000-0000-4000-8000-000000000912', 1, '2026-03-29 01:19:59.999999+00', '2026-03-29 01:20:04.999999+00', '2026-03-29 01:24:59.999999+00', 'missed', 'daemon-down', NULL, 1, NULL, '2026-03-29 01:20:59.999999+00');
INSERT INTO public.occurrence_event VALUES (1, 1, 'pending', '2026-03-29 01:10:00.999999+00', 'daemon 1', NULL, NULL);
INSERT INTO public.occurrence_event VALUES (2, 1, 'claimed', '2026-03-29 01:10:01.999999+00', 'daemon 1', NULL, NULL);
INSERT INTO public.occurrence_event VALUES (3, 1, 'completed', '2026-03-29 01:10:02.999999+00', 'daemon 1', NULL, NULL);
INSERT INTO public.occurrence_session VALUES (1, 1);
INSERT INTO public.operator_answer VALUES (1, 1, 'done', 'Ana', '2026-03-29 01:00:08.999999+00');
INSERT INTO public.operator_prompt VALUES (1, '00000000-0000-4000-8000-000000000903', 1, 'scene', 'please set up ''books''', '2026-03-29 01:00:04.999999+00');
INSERT INTO public.perceptual_hash VALUES (1, NULL, '0.5.0', '2026-03-29 02:23:20.999999+00');
INSERT INTO public.perceptual_hash VALUES (4, '0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f', '0.5.0', '2026-03-29 02:23:21.999999+00');
INSERT INTO public.prediction VALUES (1, 1, 'clean', 1, 'early', 'late', 0.505, 9, 4);
INSERT INTO public.recipe VALUES (1, 'weekly', '0000000000000000000000000000000000000000000000000000000000000064', '{"shots": [{"kind": "dark-field", "exposure": "1/30", "count": 2}]}', '2026-03-29 00:59:59.999999+00');
INSERT INTO public.registered_model VALUES (1, '00000000-0000-4000-8000-000000000120', 'monthly', 1, 1, '2026-03-29 03:13:19.999999+00');
INSERT INTO public.retraining VALUES (1, '00000000-0000-4000-8000-000000000121', 'monthly', 1, '{"name": "monthly"}', '2026-03-29 03:13:29.999999+00');
INSERT INTO public.retraining_event VALUES (1, 1, 'frozen', '2026-03-29 03:13:30.999999+00', NULL, '{"dataset": "0000000000000000000000000000000000000000000000000000000000000067"}');
INSERT INTO public.run VALUES (1, '00000000-0000-4000-8000-000000000902', 1, 1, 9007199254740993, '{"cores": 2}', '[{"epoch": 1, "loss": 0.69}]', 6, '2026-03-29 01:13:20.999999+00', '2026-03-29 01:14:09.999999+00');
INSERT INTO public.run_execution VALUES (1, 1, '{"device": "cpu", "precision": "bfloat16", "threads": 1}', 120, '[[60, 0.61, 0.7], [120, 0.4, 0.9]]');
INSERT INTO public.run_predictions VALUES (1, 'clean', 1);
INSERT INTO public.saliency_map VALUES (1, 1, 1, 'grad-cam', 'clean', 'early', 1, 7, '{"peak": 2.5}');
INSERT INTO public.saved_selection VALUES (1, 'darks', 'kind = dark-field', NULL, 'Ana', '2026-03-29 02:39:59.999999+00');
INSERT INTO public.scene VALUES (1, 1, 'books');
INSERT INTO public.scene_reference VALUES (1, 1, 1, 4, '\x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff', NULL, '2026-03-29 01:04:59.999999+00');
INSERT INTO public.scene_revision VALUES (1, 1, 1, 1, 'grey card', 'two books', 'lamp', '0000000000000000000000000000000000000000000000000000000000000066');
INSERT INTO public.schedule VALUES (1, '00000000-0000-4000-8000-000000000904', 'weekly', 1, 1, '{"rule": "FREQ=WEEKLY", "zone": "Europe/Vienna"}', 'Ana', '2026-03-29 00:59:59.999999+00');
INSERT INTO public.schedule_event VALUES (1, 1, 'added', '2026-03-29 00:59:59.999999+00', 'Ana', NULL);
INSERT INTO public.schedule_expansion VALUES (1, '2026-03-30 00:59:59.999999+00');
INSERT INTO public.session VALUES (1, '00000000-0000-4000-8000-000000001001', 'capture', 1, 1, 'Ana', 'host', '2026-03-29 00:59:59.999999+00', NULL);
INSERT INTO public.session VALUES (2, '00000000-0000-4000-8000-000000001002', 'import', NULL, NULL, NULL, 'host', '2026-03-29 01:59:59.999999+00', 'it''s from the old disk; don''t ask');
INSERT INTO public.session_event VALUES (1, 1, 'started', '2026-03-29 00:59:59.999999+00', NULL);
INSERT INTO public.session_event VALUES (2, 1, 'scene-changed', '2026-03-29 01:00:00.999999+00', '{"scene": "books"}');
INSERT INTO public.session_event VALUES (3, 1, 'completed', '2026-03-29 01:00:49.999999+00', NULL);
INSERT INTO public.session_event VALUES (9, 2, 'partial', '2026-03-29 02:01:39.999999+00', '{"refused": 1}');
INSERT INTO public.session_event VALUES (10, 1, 'camera-lost', '2026-03-29 01:00:19.999999+00', NULL);
INSERT INTO public.session_request VALUES (1, 1, 'pause', 'Ana', '2026-03-29 01:00:09.999999+00');
INSERT INTO public.shot VALUES (1, '00000000-0000-4000-8000-000000000001', 1, 1, 1, 1, 'dark-field', NULL, '2026-03-29 01:00:00.999999+00', 'civil', '1/30', 0.03333333333333333, 800, 5.6, 'raw+jpeg', false, NULL, NULL, NULL);
INSERT INTO public.shot VALUES (2, '00000000-0000-4000-8000-000000000002', 1, 1, 2, 1, 'dark-field', NULL, '2026-03-29 01:00:01.999999+00', 'civil', '1/30', 0.03333333333333333, 800, 5.6, 'raw+jpeg', false, NULL, NULL, NULL);
INSERT INTO public.shot VALUES (3, '00000000-0000-4000-8000-000000000003', 1, 1, 3, 1, 'fixed-background', 1, '2026-03-29 01:00:02.999999+00', 'civil', '1/30', 0.03333333333333333, 800, 5.6, 'raw+jpeg', false, NULL, NULL, NULL);
INSERT INTO public.shot VALUES (4, '00000000-0000-4000-8000-000000000004', 1, 1, 3, 2, 'fixed-background', 1, '2026-03-29 01:00:03.999999+00', 'civil', '1/30', 0.03333333333333333, 800, 5.6, 'raw+jpeg', false, NULL, NULL, NULL);
INSERT INTO public.shot VALUES (5, '00000000-0000-4000-8000-000000000005', 1, 7, 1, 1, 'flat-field', NULL, '2026-03-29 01:00:04.999999+00', 'civil', '1/30', 0.03333333333333333, 800, 5.6, 'raw+jpeg', true, NULL, NULL, NULL);
INSERT INTO public.shot VALUES (6, '00000000-0000-4000-8000-000000000006', 1, 7, 2, 1, 'dark-field', NULL, NULL, NULL, '1/30', 0.03333333333333333, 800, 5.6, 'raw+jpeg', false, NULL, NULL, NULL);
INSERT INTO public.shot VALUES (20, '00000000-0000-4000-8000-000000000020', 2, NULL, 1, 1, 'natural', NULL, NULL, 'exif', NULL, NULL, NULL, NULL, NULL, false, NULL, NULL, NULL);
INSERT INTO public.shot VALUES (30, '00000000-0000-4000-8000-000000000030', 1, 1, 9, 1, 'dark-field', NULL, '2026-03-29 01:00:29.999999+00', 'civil', '1/30', 0.03333333333333333, 800, 5.6, 'raw+jpeg', false, 3600.25, 4.5, NULL);
INSERT INTO public.shot VALUES (40, '00000000-0000-4000-8000-000000000040', 1, 7, 30, 1, 'dark-field', NULL, '2026-03-29 01:00:39.999999+00', 'civil', '1/30', 0.03333333333333333, 800, 5.6, 'raw+jpeg', false, NULL, NULL, 43200);
INSERT INTO public.shot_event VALUES (1, 1, 'planned', '2026-03-29 01:00:00.999999+00', NULL);
INSERT INTO public.shot_event VALUES (2, 2, 'planned', '2026-03-29 01:00:01.999999+00', NULL);
INSERT INTO public.shot_event VALUES (3, 5, 'planned', '2026-03-29 01:00:02.999999+00', NULL);
INSERT INTO public.shot_event VALUES (4, 1, 'triggered', '2026-03-29 01:00:03.999999+00', NULL);
INSERT INTO public.shot_event VALUES (5, 2, 'triggered', '2026-03-29 01:00:04.999999+00', NULL);
INSERT INTO public.shot_event VALUES (6, 1, 'downloaded', '2026-03-29 01:00:05.999999+00', NULL);
INSERT INTO public.shot_event VALUES (7, 2, 'failed', '2026-03-29 01:00:06.999999+00', NULL);
INSERT INTO public.shot_event VALUES (8, 1, 'verified', '2026-03-29 01:00:07.999999+00', NULL);
INSERT INTO public.shot_event VALUES (9, 1, 'registered', '2026-03-29 01:00:08.999999+00', NULL);
INSERT INTO public.shot_event VALUES (10, 2, 'downloaded', '2026-03-29 01:00:09.999999+00', NULL);
INSERT INTO public.shot_event VALUES (11, 2, 'verified', '2026-03-29 01:00:10.999999+00', NULL);
INSERT INTO public.shot_event VALUES (12, 2, 'registered', '2026-03-29 01:00:11.999999+00', NULL);
INSERT INTO public.shot_event VALUES (13, 3, 'planned', '2026-03-29 01:00:12.999999+00', NULL);
INSERT INTO public.shot_event VALUES (14, 3, 'triggered', '2026-03-29 01:00:13.999999+00', NULL);
INSERT INTO public.shot_event VALUES (15, 3, 'failed', '2026-03-29 01:00:14.999999+00', NULL);
INSERT INTO public.shot_event VALUES (16, 4, 'planned', '2026-03-29 01:00:15.999999+00', NULL);
INSERT INTO public.shot_event VALUES (17, 4, 'triggered', '2026-03-29 01:00:16.999999+00', NULL);
INSERT INTO public.shot_event VALUES (18, 4, 'verified', '2026-03-29 01:00:17.999999+00', NULL);
INSERT INTO public.shot_event VALUES (19, 5, 'triggered', '2026-03-29 01:00:18.999999+00', NULL);
INSERT INTO public.shot_event VALUES (20, 6, 'planned', '2026-03-29 01:00:19.999999+00', NULL);
INSERT INTO public.shot_event VALUES (21, 5, 'failed', '2026-03-29 01:00:20.999999+00', NULL);
INSERT INTO public.shot_settings VALUES (1, 1, 'exif', 0.03333, 800, 5.6, 'raw', 31.5, '2026-03-29 01:00:00.499999+00', '2026:03:29 02:00:00', '1.04', false, '{"iso": "800"}');
INSERT INTO public.shot_settings VALUES (2, 1, 'read-back', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.shot_status VALUES (3, '2026-03-29 01:00:02.999999+00', 'failed', 15, NULL, NULL);
INSERT INTO public.shot_status VALUES (4, '2026-03-29 01:00:03.999999+00', 'verified', 18, NULL, NULL);
INSERT INTO public.shot_status VALUES (6, NULL, 'planned', 20, NULL, NULL);
INSERT INTO public.shot_status VALUES (5, '2026-03-29 01:00:04.999999+00', 'failed', 21, NULL, NULL);
INSERT INTO public.shot_status VALUES (2, '2026-03-29 01:00:01.999999+00', 'registered', 12, 'accepted', 2);
INSERT INTO public.shot_status VALUES (20, NULL, NULL, NULL, 'quarantined', 4);
INSERT INTO public.shot_status VALUES (1, '2026-03-29 01:00:00.999999+00', 'registered', 9, 'accepted', 5);
INSERT INTO public.shot_status VALUES (30, '2026-03-29 01:00:29.999999+00', NULL, NULL, NULL, NULL);
INSERT INTO public.shot_status VALUES (40, '2026-03-29 01:00:39.999999+00', NULL, NULL, NULL, NULL);
INSERT INTO public.staged_scene VALUES (1, 1);
INSERT INTO public.store VALUES (1, 'local', 'local', '2026-03-29 00:59:59.999999+00');
INSERT INTO public.timeslot VALUES (1, 1, 1, '2026-01-01 00:00:00+00', '2027-01-01 00:00:00+00');
INSERT INTO public.timeslot_scheme VALUES (1, 'years', NULL, '2026-03-29 00:59:59.999999+00', NULL);
INSERT INTO public.timeslot_scheme VALUES (2, 'months', 'by the month', '2026-03-29 00:59:59.999999+00', 'Europe/Vienna');
INSERT INTO public.verdict VALUES (1, 1, 'quarantined', 'light-leak', '{"excess_dn": 3.25, "limit_dn": 2}', 'checks', '2026-03-29 01:01:40.999999+00');
INSERT INTO public.verdict VALUES (2, 2, 'accepted', 'light-leak', '{"excess_dn": 3.25, "limit_dn": 2}', 'checks', '2026-03-29 01:01:41.999999+00');
INSERT INTO public.verdict VALUES (3, 1, 'rejected', 'looked at it: fine, “café”', NULL, 'Ana', '2026-03-29 01:01:42.999999+00');
INSERT INTO public.verdict VALUES (4, 20, 'quarantined', 'light-leak', '{"excess_dn": 3.25, "limit_dn": 2}', 'checks', '2026-03-29 01:01:43.999999+00');
INSERT INTO public.verdict VALUES (5, 1, 'accepted', 'looked at it: fine, “café”', NULL, 'Ana', '2026-03-29 00:58:19.999999+00');
SELECT pg_catalog.setval('public.asset_id_seq', 7, true);
SELECT pg_catalog.setval('public.asset_reference_id_seq', 1, true);
SELECT pg_catalog.setval('public.audit_id_seq', 3, true);
SELECT pg_catalog.setval('public.camera_fingerprint_id_seq', 1, true);
SELECT pg_catalog.setval('public.camera_id_seq', 7, true);
SELECT pg_catalog.setval('public.clock_probe_id_seq', 1, true);
SELECT pg_catalog.setval('public.daemon_id_seq', 1, true);
SELECT pg_catalog.setval('public.dataset_audit_id_seq', 1, true);
SELECT pg_catalog.setval('public.dataset_id_seq', 1, true);
SELECT pg_catalog.setval('public.defect_extraction_id_seq', 1, true);
SELECT pg_catalog.setval('public.defect_ledger_id_seq', 1, true);
SELECT pg_catalog.setval('public.experiment_id_seq', 1, true);
SELECT pg_catalog.setval('public.fixture_id_seq', 1, true);
SELECT pg_catalog.setval('public.fixture_revision_id_seq', 1, true);
SELECT pg_catalog.setval('public.flat_extraction_id_seq', 1, true);
SELECT pg_catalog.setval('public.job_event_id_seq', 1, true);
SELECT pg_catalog.setval('public.job_id_seq', 1, true);
SELECT pg_catalog.setval('public.model_event_id_seq', 2, true);
SELECT pg_catalog.setval('public.notification_id_seq', 1, true);
SELECT pg_catalog.setval('public.occurrence_event_id_seq', 3, true);
SELECT pg_catalog.setval('public.occurrence_id_seq', 2, true);
SELECT pg_catalog.setval('public.operator_answer_id_seq', 1, true);
SELECT pg_catalog.setval('public.operator_prompt_id_seq', 1, true);
SELECT pg_catalog.setval('public.prediction_id_seq', 1, true);
SELECT pg_catalog.setval('public.recipe_id_seq', 1, true);
SELECT pg_catalog.setval('public.registered_model_id_seq', 1, true);
SELECT pg_catalog.setval('public.retraining_event_id_seq', 1, true);
SELECT pg_catalog.setval('public.retraining_id_seq', 1, true);
SELECT pg_catalog.setval('public.run_id_seq', 1, true);
SELECT pg_catalog.setval('public.saliency_map_id_seq', 1, true);
SELECT pg_catalog.setval('public.saved_selection_id_seq', 1, true);
SELECT pg_catalog.setval('public.scene_id_seq', 1, true);
SELECT pg_catalog.setval('public.scene_reference_id_seq', 1, true);
SELECT pg_catalog.setval('public.scene_revision_id_seq', 1, true);
SELECT pg_catalog.setval('public.schedule_event_id_seq', 1, true);
SELECT pg_catalog.setval('public.schedule_id_seq', 1, true);
SELECT pg_catalog.setval('public.session_event_id_seq', 10, true);
SELECT pg_catalog.setval('public.session_id_seq', 2, true);
SELECT pg_catalog.setval('public.session_request_id_seq', 1, true);
SELECT pg_catalog.setval('public.shot_event_id_seq', 21, true);
SELECT pg_catalog.setval('public.shot_id_seq', 40, true);
SELECT pg_catalog.setval('public.shot_settings_id_seq', 2, true);
SELECT pg_catalog.setval('public.store_id_seq', 1, true);
SELECT pg_catalog.setval('public.timeslot_id_seq', 1, true);
SELECT pg_catalog.setval('public.timeslot_scheme_id_seq', 2, true);
SELECT pg_catalog.setval('public.verdict_id_seq', 5, true);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.asset
    ADD CONSTRAINT pk_asset PRIMARY KEY (id);
ALTER TABLE ONLY public.asset_location
    ADD CONSTRAINT pk_asset_location PRIMARY KEY (asset_id, store_id);
ALTER TABLE ONLY public.asset_reference
    ADD CONSTRAINT pk_asset_reference PRIMARY KEY (id);
ALTER TABLE ONLY public.audit
    ADD CONSTRAINT pk_audit PRIMARY KEY (id);
ALTER TABLE ONLY public.camera
    ADD CONSTRAINT pk_camera PRIMARY KEY (id);
ALTER TABLE ONLY public.camera_fingerprint
    ADD CONSTRAINT pk_camera_fingerprint PRIMARY KEY (id);
ALTER TABLE ONLY public.clock_probe
    ADD CONSTRAINT pk_clock_probe PRIMARY KEY (id);
ALTER TABLE ONLY public.daemon
    ADD CONSTRAINT pk_daemon PRIMARY KEY (id);
ALTER TABLE ONLY public.dataset
    ADD CONSTRAINT pk_dataset PRIMARY KEY (id);
ALTER TABLE ONLY public.dataset_audit
    ADD CONSTRAINT pk_dataset_audit PRIMARY KEY (id);
ALTER TABLE ONLY public.dataset_freeze
    ADD CONSTRAINT pk_dataset_freeze PRIMARY KEY (dataset_id);
ALTER TABLE ONLY public.dataset_item
    ADD CONSTRAINT pk_dataset_item PRIMARY KEY (dataset_id, "position");
ALTER TABLE ONLY public.defect_extraction
    ADD CONSTRAINT pk_defect_extraction PRIMARY KEY (id);
ALTER TABLE ONLY public.defect_ledger
    ADD CONSTRAINT pk_defect_ledger PRIMARY KEY (id);
ALTER TABLE ONLY public.defect_observation
    ADD CONSTRAINT pk_defect_observation PRIMARY KEY (extraction_id, "row", "column");
ALTER TABLE ONLY public.dust_spot
    ADD CONSTRAINT pk_dust_spot PRIMARY KEY (extraction_id, number);
ALTER TABLE ONLY public.experiment
    ADD CONSTRAINT pk_experiment PRIMARY KEY (id);
ALTER TABLE ONLY public.fixture
    ADD CONSTRAINT pk_fixture PRIMARY KEY (id);
ALTER TABLE ONLY public.fixture_revision
    ADD CONSTRAINT pk_fixture_revision PRIMARY KEY (id);
ALTER TABLE ONLY public.flat_extraction
    ADD CONSTRAINT pk_flat_extraction PRIMARY KEY (id);
ALTER TABLE ONLY public.flat_observation
    ADD CONSTRAINT pk_flat_observation PRIMARY KEY (extraction_id, "row", "column");
ALTER TABLE ONLY public.frame_measures
    ADD CONSTRAINT pk_frame_measures PRIMARY KEY (asset_id);
ALTER TABLE ONLY public.job
    ADD CONSTRAINT pk_job PRIMARY KEY (id);
ALTER TABLE ONLY public.job_event
    ADD CONSTRAINT pk_job_event PRIMARY KEY (id);
ALTER TABLE ONLY public.lease
    ADD CONSTRAINT pk_lease PRIMARY KEY (resource);
ALTER TABLE ONLY public.ledger_defect
    ADD CONSTRAINT pk_ledger_defect PRIMARY KEY (ledger_id, "row", "column");
ALTER TABLE ONLY public.ledger_history
    ADD CONSTRAINT pk_ledger_history PRIMARY KEY (ledger_id);
ALTER TABLE ONLY public.model_event
    ADD CONSTRAINT pk_model_event PRIMARY KEY (id);
ALTER TABLE ONLY public.mounted_camera
    ADD CONSTRAINT pk_mounted_camera PRIMARY KEY (fixture_revision_id, camera_id);
ALTER TABLE ONLY public.notification
    ADD CONSTRAINT pk_notification PRIMARY KEY (id);
ALTER TABLE ONLY public.occurrence
    ADD CONSTRAINT pk_occurrence PRIMARY KEY (id);
ALTER TABLE ONLY public.occurrence_event
    ADD CONSTRAINT pk_occurrence_event PRIMARY KEY (id);
ALTER TABLE ONLY public.occurrence_session
    ADD CONSTRAINT pk_occurrence_session PRIMARY KEY (session_id);
ALTER TABLE ONLY public.operator_answer
    ADD CONSTRAINT pk_operator_answer PRIMARY KEY (id);
ALTER TABLE ONLY public.operator_prompt
    ADD CONSTRAINT pk_operator_prompt PRIMARY KEY (id);
ALTER TABLE ONLY public.perceptual_hash
    ADD CONSTRAINT pk_perceptual_hash PRIMARY KEY (asset_id);
ALTER TABLE ONLY public.prediction
    ADD CONSTRAINT pk_prediction PRIMARY KEY (id);
ALTER TABLE ONLY public.recipe
    ADD CONSTRAINT pk_recipe PRIMARY KEY (id);
ALTER TABLE ONLY public.registered_model
    ADD CONSTRAINT pk_registered_model PRIMARY KEY (id);
ALTER TABLE ONLY public.retraining
    ADD CONSTRAINT pk_retraining PRIMARY KEY (id);
ALTER TABLE ONLY public.retraining_event
    ADD CONSTRAINT pk_retraining_event PRIMARY KEY (id);
ALTER TABLE ONLY public.run
    ADD CONSTRAINT pk_run PRIMARY KEY (id);
ALTER TABLE ONLY public.run_execution
    ADD CONSTRAINT pk_run_execution PRIMARY KEY (run_id);
ALTER TABLE ONLY public.run_predictions
    ADD CONSTRAINT pk_run_predictions PRIMARY KEY (run_id, evaluation);
ALTER TABLE ONLY public.saliency_map
    ADD CONSTRAINT pk_saliency_map PRIMARY KEY (id);
ALTER TABLE ONLY public.saved_selection
    ADD CONSTRAINT pk_saved_selection PRIMARY KEY (id);
ALTER TABLE ONLY public.scene
    ADD CONSTRAINT pk_scene PRIMARY KEY (id);
ALTER TABLE ONLY public.scene_reference
    ADD CONSTRAINT pk_scene_reference PRIMARY KEY (id);
ALTER TABLE ONLY public.scene_revision
    ADD CONSTRAINT pk_scene_revision PRIMARY KEY (id);
ALTER TABLE ONLY public.schedule
    ADD CONSTRAINT pk_schedule PRIMARY KEY (id);
ALTER TABLE ONLY public.schedule_event
    ADD CONSTRAINT pk_schedule_event PRIMARY KEY (id);
ALTER TABLE ONLY public.schedule_expansion
    ADD CONSTRAINT pk_schedule_expansion PRIMARY KEY (schedule_id);
ALTER TABLE ONLY public.session
    ADD CONSTRAINT pk_session PRIMARY KEY (id);
ALTER TABLE ONLY public.session_event
    ADD CONSTRAINT pk_session_event PRIMARY KEY (id);
ALTER TABLE ONLY public.session_request
    ADD CONSTRAINT pk_session_request PRIMARY KEY (id);
ALTER TABLE ONLY public.shot
    ADD CONSTRAINT pk_shot PRIMARY KEY (id);
ALTER TABLE ONLY public.shot_event
    ADD CONSTRAINT pk_shot_event PRIMARY KEY (id);
ALTER TABLE ONLY public.shot_settings
    ADD CONSTRAINT pk_shot_settings PRIMARY KEY (id);
ALTER TABLE ONLY public.shot_status
    ADD CONSTRAINT pk_shot_status PRIMARY KEY (shot_id);
ALTER TABLE ONLY public.staged_scene
    ADD CONSTRAINT pk_staged_scene PRIMARY KEY (fixture_revision_id, scene_revision_id);
ALTER TABLE ONLY public.store
    ADD CONSTRAINT pk_store PRIMARY KEY (id);
ALTER TABLE ONLY public.timeslot
    ADD CONSTRAINT pk_timeslot PRIMARY KEY (id);
ALTER TABLE ONLY public.timeslot_scheme
    ADD CONSTRAINT pk_timeslot_scheme PRIMARY KEY (id);
ALTER TABLE ONLY public.verdict
    ADD CONSTRAINT pk_verdict PRIMARY KEY (id);
ALTER TABLE ONLY public.asset_reference
    ADD CONSTRAINT uq_asset_reference_asset_id_folder_path UNIQUE (asset_id, folder, path);
ALTER TABLE ONLY public.asset
    ADD CONSTRAINT uq_asset_sha256 UNIQUE (sha256);
ALTER TABLE ONLY public.audit
    ADD CONSTRAINT uq_audit_previous_sha256 UNIQUE (previous_sha256);
ALTER TABLE ONLY public.audit
    ADD CONSTRAINT uq_audit_sha256 UNIQUE (sha256);
ALTER TABLE ONLY public.camera
    ADD CONSTRAINT uq_camera_make_model_serial UNIQUE (make, model, serial);
ALTER TABLE ONLY public.daemon
    ADD CONSTRAINT uq_daemon_uuid UNIQUE (uuid);
ALTER TABLE ONLY public.dataset_audit
    ADD CONSTRAINT uq_dataset_audit_uuid UNIQUE (uuid);
ALTER TABLE ONLY public.dataset
    ADD CONSTRAINT uq_dataset_version UNIQUE (version);
ALTER TABLE ONLY public.defect_extraction
    ADD CONSTRAINT uq_defect_extraction_session_id_camera_id_parameters_sha256 UNIQUE (session_id, camera_id, parameters_sha256);
ALTER TABLE ONLY public.defect_ledger
    ADD CONSTRAINT uq_defect_ledger_uuid UNIQUE (uuid);
ALTER TABLE ONLY public.experiment
    ADD CONSTRAINT uq_experiment_content_sha256 UNIQUE (content_sha256);
ALTER TABLE ONLY public.experiment
    ADD CONSTRAINT uq_experiment_uuid UNIQUE (uuid);
ALTER TABLE ONLY public.fixture
    ADD CONSTRAINT uq_fixture_name UNIQUE (name);
ALTER TABLE ONLY public.fixture_revision
    ADD CONSTRAINT uq_fixture_revision_fixture_id_revision UNIQUE (fixture_id, revision);
ALTER TABLE ONLY public.flat_extraction
    ADD CONSTRAINT uq_flat_extraction_session_id_camera_id_parameters_sha256 UNIQUE (session_id, camera_id, parameters_sha256);
ALTER TABLE ONLY public.job
    ADD CONSTRAINT uq_job_name_subject UNIQUE (name, subject);
ALTER TABLE ONLY public.job
    ADD CONSTRAINT uq_job_uuid UNIQUE (uuid);
ALTER TABLE ONLY public.notification
    ADD CONSTRAINT uq_notification_channel_subject UNIQUE (channel, subject);
ALTER TABLE ONLY public.notification
    ADD CONSTRAINT uq_notification_uuid UNIQUE (uuid);
ALTER TABLE ONLY public.occurrence
    ADD CONSTRAINT uq_occurrence_schedule_id_due_at UNIQUE (schedule_id, due_at);
ALTER TABLE ONLY public.occurrence
    ADD CONSTRAINT uq_occurrence_uuid UNIQUE (uuid);
ALTER TABLE ONLY public.operator_answer
    ADD CONSTRAINT uq_operator_answer_prompt_id UNIQUE (prompt_id);
ALTER TABLE ONLY public.operator_prompt
    ADD CONSTRAINT uq_operator_prompt_uuid UNIQUE (uuid);
ALTER TABLE ONLY public.recipe
    ADD CONSTRAINT uq_recipe_content_sha256 UNIQUE (content_sha256);
ALTER TABLE ONLY public.registered_model
    ADD CONSTRAINT uq_registered_model_name_experiment_id UNIQUE (name, experiment_id);
ALTER TABLE ONLY public.registered_model
    ADD CONSTRAINT uq_registered_model_name_version UNIQUE (name, version);
ALTER TABLE ONLY public.registered_model
    ADD CONSTRAINT uq_registered_model_uuid UNIQUE (uuid);
ALTER TABLE ONLY public.retraining
    ADD CONSTRAINT uq_retraining_policy_timeslot_id UNIQUE (policy, timeslot_id);
ALTER TABLE ONLY public.retraining
    ADD CONSTRAINT uq_retraining_uuid UNIQUE (uuid);
ALTER TABLE ONLY public.run
    ADD CONSTRAINT uq_run_experiment_id_ordinal UNIQUE (experiment_id, ordinal);
ALTER TABLE ONLY public.run
    ADD CONSTRAINT uq_run_uuid UNIQUE (uuid);
ALTER TABLE ONLY public.saliency_map
    ADD CONSTRAINT uq_saliency_map_run_id_camera_id_method_evaluation_class_name UNIQUE (run_id, camera_id, method, evaluation, class_name);
ALTER TABLE ONLY public.scene
    ADD CONSTRAINT uq_scene_fixture_id_name UNIQUE (fixture_id, name);
ALTER TABLE ONLY public.scene_revision
    ADD CONSTRAINT uq_scene_revision_scene_id_revision UNIQUE (scene_id, revision);
ALTER TABLE ONLY public.schedule
    ADD CONSTRAINT uq_schedule_name UNIQUE (name);
ALTER TABLE ONLY public.schedule
    ADD CONSTRAINT uq_schedule_uuid UNIQUE (uuid);
ALTER TABLE ONLY public.session
    ADD CONSTRAINT uq_session_uuid UNIQUE (uuid);
ALTER TABLE ONLY public.shot
    ADD CONSTRAINT uq_shot_session_id_camera_id_sequence_attempt UNIQUE (session_id, camera_id, sequence, attempt);
ALTER TABLE ONLY public.shot_settings
    ADD CONSTRAINT uq_shot_settings_shot_id_source UNIQUE (shot_id, source);
ALTER TABLE ONLY public.shot
    ADD CONSTRAINT uq_shot_uuid UNIQUE (uuid);
ALTER TABLE ONLY public.store
    ADD CONSTRAINT uq_store_name UNIQUE (name);
ALTER TABLE ONLY public.timeslot
    ADD CONSTRAINT uq_timeslot_scheme_id_ordinal UNIQUE (scheme_id, ordinal);
ALTER TABLE ONLY public.timeslot
    ADD CONSTRAINT uq_timeslot_scheme_id_starts_at UNIQUE (scheme_id, starts_at);
ALTER TABLE ONLY public.timeslot_scheme
    ADD CONSTRAINT uq_timeslot_scheme_name UNIQUE (name);
CREATE INDEX ix_asset_location_problem ON public.asset_location USING btree (store_id, asset_id) WHERE (problem IS NOT NULL);
CREATE INDEX ix_asset_location_unverified ON public.asset_location USING btree (store_id, verified_at, asset_id);
CREATE INDEX ix_asset_reference_folder_path ON public.asset_reference USING btree (folder, path);
CREATE INDEX ix_asset_reference_session_id ON public.asset_reference USING btree (session_id);
CREATE INDEX ix_asset_shot_id ON public.asset USING btree (shot_id);
CREATE INDEX ix_camera_fingerprint_camera_id ON public.camera_fingerprint USING btree (camera_id);
CREATE INDEX ix_clock_probe_camera_time ON public.clock_probe USING btree (camera_id, at, id);
CREATE INDEX ix_clock_probe_session_id ON public.clock_probe USING btree (session_id);
CREATE INDEX ix_dataset_audit_newest ON public.dataset_audit USING btree (manifest_version, id);
CREATE INDEX ix_dataset_freeze_audit_id ON public.dataset_freeze USING btree (audit_id);
CREATE INDEX ix_dataset_freeze_family ON public.dataset_freeze USING btree (family, fold);
CREATE INDEX ix_dataset_item_asset_id ON public.dataset_item USING btree (asset_id);
CREATE INDEX ix_dataset_name ON public.dataset USING btree (name);
CREATE INDEX ix_defect_extraction_camera_id ON public.defect_extraction USING btree (camera_id);
CREATE INDEX ix_defect_ledger_camera_id ON public.defect_ledger USING btree (camera_id);
CREATE INDEX ix_experiment_name ON public.experiment USING btree (name);
CREATE INDEX ix_flat_extraction_camera_id ON public.flat_extraction USING btree (camera_id);
CREATE INDEX ix_frame_measures_temperature_c ON public.frame_measures USING btree (temperature_c);
CREATE INDEX ix_job_event_newest ON public.job_event USING btree (job_id, id);
CREATE INDEX ix_job_state_due ON public.job USING btree (state, due_at);
CREATE INDEX ix_lease_fencing_token ON public.lease USING btree (fencing_token);
CREATE INDEX ix_model_event_newest ON public.model_event USING btree (model_id, id);
CREATE INDEX ix_notification_state_next ON public.notification USING btree (state, next_attempt_at);
CREATE INDEX ix_occurrence_due ON public.occurrence USING btree (due_at, id);
CREATE INDEX ix_occurrence_event_newest ON public.occurrence_event USING btree (occurrence_id, id);
CREATE INDEX ix_occurrence_session_occurrence_id ON public.occurrence_session USING btree (occurrence_id);
CREATE INDEX ix_occurrence_state_start ON public.occurrence USING btree (state, starts_at);
CREATE INDEX ix_operator_prompt_session_id ON public.operator_prompt USING btree (session_id);
CREATE INDEX ix_prediction_run_evaluation ON public.prediction USING btree (run_id, evaluation);
CREATE INDEX ix_recipe_name ON public.recipe USING btree (name);
CREATE INDEX ix_retraining_event_newest ON public.retraining_event USING btree (retraining_id, id);
CREATE INDEX ix_run_execution_dataset_id ON public.run_execution USING btree (dataset_id);
CREATE INDEX ix_saved_selection_newest ON public.saved_selection USING btree (name, id);
CREATE INDEX ix_scene_name ON public.scene USING btree (name);
CREATE INDEX ix_scene_reference_newest ON public.scene_reference USING btree (scene_revision_id, camera_id, id);
CREATE INDEX ix_schedule_event_newest ON public.schedule_event USING btree (schedule_id, id);
CREATE INDEX ix_session_event_newest ON public.session_event USING btree (session_id, id);
CREATE INDEX ix_session_request_newest ON public.session_request USING btree (session_id, id);
CREATE INDEX ix_session_started_at ON public.session USING btree (started_at);
CREATE INDEX ix_shot_camera_kind_time ON public.shot USING btree (camera_id, kind, triggered_at, id);
CREATE INDEX ix_shot_camera_time ON public.shot USING btree (camera_id, triggered_at, id);
CREATE INDEX ix_shot_event_newest ON public.shot_event USING btree (shot_id, id);
CREATE INDEX ix_shot_exposure_time ON public.shot USING btree (exposure_s, triggered_at, id);
CREATE INDEX ix_shot_iso_time ON public.shot USING btree (iso, triggered_at, id);
CREATE INDEX ix_shot_kind_time ON public.shot USING btree (kind, triggered_at, id);
CREATE INDEX ix_shot_scene_camera_time ON public.shot USING btree (scene_revision_id, camera_id, triggered_at);
CREATE INDEX ix_shot_scene_time ON public.shot USING btree (scene_revision_id, triggered_at, id);
CREATE INDEX ix_shot_session_time ON public.shot USING btree (session_id, triggered_at, id);
CREATE INDEX ix_shot_status_state_time ON public.shot_status USING btree (state, triggered_at, shot_id);
CREATE INDEX ix_shot_status_verdict_time ON public.shot_status USING btree (verdict, triggered_at, shot_id);
CREATE INDEX ix_shot_time ON public.shot USING btree (triggered_at, id);
CREATE INDEX ix_verdict_newest ON public.verdict USING btree (shot_id, id);
CREATE TRIGGER append_only_asset_change BEFORE DELETE OR UPDATE ON public.asset FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_asset_reference_change BEFORE DELETE OR UPDATE ON public.asset_reference FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_asset_reference_truncate BEFORE TRUNCATE ON public.asset_reference FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_asset_truncate BEFORE TRUNCATE ON public.asset FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_audit_change BEFORE DELETE OR UPDATE ON public.audit FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_audit_truncate BEFORE TRUNCATE ON public.audit FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_camera_change BEFORE DELETE OR UPDATE ON public.camera FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_camera_fingerprint_change BEFORE DELETE OR UPDATE ON public.camera_fingerprint FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_camera_fingerprint_truncate BEFORE TRUNCATE ON public.camera_fingerprint FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_camera_truncate BEFORE TRUNCATE ON public.camera FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_clock_probe_change BEFORE DELETE OR UPDATE ON public.clock_probe FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_clock_probe_truncate BEFORE TRUNCATE ON public.clock_probe FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_dataset_audit_change BEFORE DELETE OR UPDATE ON public.dataset_audit FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_dataset_audit_truncate BEFORE TRUNCATE ON public.dataset_audit FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_dataset_change BEFORE DELETE OR UPDATE ON public.dataset FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_dataset_freeze_change BEFORE DELETE OR UPDATE ON public.dataset_freeze FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_dataset_freeze_truncate BEFORE TRUNCATE ON public.dataset_freeze FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_dataset_item_change BEFORE DELETE OR UPDATE ON public.dataset_item FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_dataset_item_truncate BEFORE TRUNCATE ON public.dataset_item FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_dataset_truncate BEFORE TRUNCATE ON public.dataset FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_defect_extraction_change BEFORE DELETE OR UPDATE ON public.defect_extraction FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_defect_extraction_truncate BEFORE TRUNCATE ON public.defect_extraction FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_defect_ledger_change BEFORE DELETE OR UPDATE ON public.defect_ledger FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_defect_ledger_truncate BEFORE TRUNCATE ON public.defect_ledger FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_defect_observation_change BEFORE DELETE OR UPDATE ON public.defect_observation FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_defect_observation_truncate BEFORE TRUNCATE ON public.defect_observation FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_dust_spot_change BEFORE DELETE OR UPDATE ON public.dust_spot FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_dust_spot_truncate BEFORE TRUNCATE ON public.dust_spot FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_experiment_change BEFORE DELETE OR UPDATE ON public.experiment FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_experiment_truncate BEFORE TRUNCATE ON public.experiment FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_fixture_change BEFORE DELETE OR UPDATE ON public.fixture FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_fixture_revision_change BEFORE DELETE OR UPDATE ON public.fixture_revision FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_fixture_revision_truncate BEFORE TRUNCATE ON public.fixture_revision FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_fixture_truncate BEFORE TRUNCATE ON public.fixture FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_flat_extraction_change BEFORE DELETE OR UPDATE ON public.flat_extraction FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_flat_extraction_truncate BEFORE TRUNCATE ON public.flat_extraction FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_flat_observation_change BEFORE DELETE OR UPDATE ON public.flat_observation FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_flat_observation_truncate BEFORE TRUNCATE ON public.flat_observation FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_frame_measures_change BEFORE DELETE OR UPDATE ON public.frame_measures FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_frame_measures_truncate BEFORE TRUNCATE ON public.frame_measures FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_job_event_change BEFORE DELETE OR UPDATE ON public.job_event FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_job_event_truncate BEFORE TRUNCATE ON public.job_event FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_ledger_defect_change BEFORE DELETE OR UPDATE ON public.ledger_defect FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_ledger_defect_truncate BEFORE TRUNCATE ON public.ledger_defect FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_ledger_history_change BEFORE DELETE OR UPDATE ON public.ledger_history FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_ledger_history_truncate BEFORE TRUNCATE ON public.ledger_history FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_model_event_change BEFORE DELETE OR UPDATE ON public.model_event FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_model_event_truncate BEFORE TRUNCATE ON public.model_event FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_mounted_camera_change BEFORE DELETE OR UPDATE ON public.mounted_camera FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_mounted_camera_truncate BEFORE TRUNCATE ON public.mounted_camera FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_occurrence_event_change BEFORE DELETE OR UPDATE ON public.occurrence_event FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_occurrence_event_truncate BEFORE TRUNCATE ON public.occurrence_event FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_occurrence_session_change BEFORE DELETE OR UPDATE ON public.occurrence_session FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_occurrence_session_truncate BEFORE TRUNCATE ON public.occurrence_session FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_operator_answer_change BEFORE DELETE OR UPDATE ON public.operator_answer FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_operator_answer_truncate BEFORE TRUNCATE ON public.operator_answer FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_operator_prompt_change BEFORE DELETE OR UPDATE ON public.operator_prompt FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_operator_prompt_truncate BEFORE TRUNCATE ON public.operator_prompt FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_perceptual_hash_change BEFORE DELETE OR UPDATE ON public.perceptual_hash FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_perceptual_hash_truncate BEFORE TRUNCATE ON public.perceptual_hash FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_prediction_change BEFORE DELETE OR UPDATE ON public.prediction FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_prediction_truncate BEFORE TRUNCATE ON public.prediction FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_recipe_change BEFORE DELETE OR UPDATE ON public.recipe FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_recipe_truncate BEFORE TRUNCATE ON public.recipe FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_registered_model_change BEFORE DELETE OR UPDATE ON public.registered_model FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_registered_model_truncate BEFORE TRUNCATE ON public.registered_model FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_retraining_change BEFORE DELETE OR UPDATE ON public.retraining FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_retraining_event_change BEFORE DELETE OR UPDATE ON public.retraining_event FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_retraining_event_truncate BEFORE TRUNCATE ON public.retraining_event FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_retraining_truncate BEFORE TRUNCATE ON public.retraining FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_run_change BEFORE DELETE OR UPDATE ON public.run FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_run_execution_change BEFORE DELETE OR UPDATE ON public.run_execution FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_run_execution_truncate BEFORE TRUNCATE ON public.run_execution FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_run_predictions_change BEFORE DELETE OR UPDATE ON public.run_predictions FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_run_predictions_truncate BEFORE TRUNCATE ON public.run_predictions FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_run_truncate BEFORE TRUNCATE ON public.run FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_saliency_map_change BEFORE DELETE OR UPDATE ON public.saliency_map FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_saliency_map_truncate BEFORE TRUNCATE ON public.saliency_map FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_saved_selection_change BEFORE DELETE OR UPDATE ON public.saved_selection FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_saved_selection_truncate BEFORE TRUNCATE ON public.saved_selection FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_scene_change BEFORE DELETE OR UPDATE ON public.scene FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_scene_reference_change BEFORE DELETE OR UPDATE ON public.scene_reference FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_scene_reference_truncate BEFORE TRUNCATE ON public.scene_reference FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_scene_revision_change BEFORE DELETE OR UPDATE ON public.scene_revision FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_scene_revision_truncate BEFORE TRUNCATE ON public.scene_revision FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_scene_truncate BEFORE TRUNCATE ON public.scene FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_schedule_change BEFORE DELETE OR UPDATE ON public.schedule FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_schedule_event_change BEFORE DELETE OR UPDATE ON public.schedule_event FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_schedule_event_truncate BEFORE TRUNCATE ON public.schedule_event FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_schedule_truncate BEFORE TRUNCATE ON public.schedule FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_session_change BEFORE DELETE OR UPDATE ON public.session FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_session_event_change BEFORE DELETE OR UPDATE ON public.session_event FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_session_event_truncate BEFORE TRUNCATE ON public.session_event FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_session_request_change BEFORE DELETE OR UPDATE ON public.session_request FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_session_request_truncate BEFORE TRUNCATE ON public.session_request FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_session_truncate BEFORE TRUNCATE ON public.session FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_shot_change BEFORE DELETE OR UPDATE ON public.shot FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_shot_event_change BEFORE DELETE OR UPDATE ON public.shot_event FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_shot_event_truncate BEFORE TRUNCATE ON public.shot_event FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_shot_settings_change BEFORE DELETE OR UPDATE ON public.shot_settings FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_shot_settings_truncate BEFORE TRUNCATE ON public.shot_settings FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_shot_truncate BEFORE TRUNCATE ON public.shot FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_staged_scene_change BEFORE DELETE OR UPDATE ON public.staged_scene FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_staged_scene_truncate BEFORE TRUNCATE ON public.staged_scene FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_store_change BEFORE DELETE OR UPDATE ON public.store FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_store_truncate BEFORE TRUNCATE ON public.store FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_timeslot_change BEFORE DELETE OR UPDATE ON public.timeslot FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_timeslot_scheme_change BEFORE DELETE OR UPDATE ON public.timeslot_scheme FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_timeslot_scheme_truncate BEFORE TRUNCATE ON public.timeslot_scheme FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_timeslot_truncate BEFORE TRUNCATE ON public.timeslot FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_verdict_change BEFORE DELETE OR UPDATE ON public.verdict FOR EACH ROW EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER append_only_verdict_truncate BEFORE TRUNCATE ON public.verdict FOR EACH STATEMENT EXECUTE FUNCTION public.agetrace_refuse_change();
CREATE TRIGGER shot_status_from_shot AFTER INSERT ON public.shot FOR EACH ROW EXECUTE FUNCTION public.agetrace_shot_status_from_shot();
CREATE TRIGGER shot_status_from_shot_event AFTER INSERT ON public.shot_event FOR EACH ROW EXECUTE FUNCTION public.agetrace_shot_status_from_shot_event();
CREATE TRIGGER shot_status_from_verdict AFTER INSERT ON public.verdict FOR EACH ROW EXECUTE FUNCTION public.agetrace_shot_status_from_verdict();
ALTER TABLE ONLY public.asset_location
    ADD CONSTRAINT fk_asset_location_asset_id FOREIGN KEY (asset_id) REFERENCES public.asset(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.asset_location
    ADD CONSTRAINT fk_asset_location_store_id FOREIGN KEY (store_id) REFERENCES public.store(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.asset_reference
    ADD CONSTRAINT fk_asset_reference_asset_id FOREIGN KEY (asset_id) REFERENCES public.asset(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.asset_reference
    ADD CONSTRAINT fk_asset_reference_session_id FOREIGN KEY (session_id) REFERENCES public.session(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.asset
    ADD CONSTRAINT fk_asset_shot_id FOREIGN KEY (shot_id) REFERENCES public.shot(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.camera_fingerprint
    ADD CONSTRAINT fk_camera_fingerprint_camera_id FOREIGN KEY (camera_id) REFERENCES public.camera(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.camera_fingerprint
    ADD CONSTRAINT fk_camera_fingerprint_fingerprint_asset_id FOREIGN KEY (fingerprint_asset_id) REFERENCES public.asset(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.clock_probe
    ADD CONSTRAINT fk_clock_probe_camera_id FOREIGN KEY (camera_id) REFERENCES public.camera(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.clock_probe
    ADD CONSTRAINT fk_clock_probe_session_id FOREIGN KEY (session_id) REFERENCES public.session(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.dataset_audit
    ADD CONSTRAINT fk_dataset_audit_report_asset_id FOREIGN KEY (report_asset_id) REFERENCES public.asset(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.dataset_freeze
    ADD CONSTRAINT fk_dataset_freeze_audit_id FOREIGN KEY (audit_id) REFERENCES public.dataset_audit(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.dataset_freeze
    ADD CONSTRAINT fk_dataset_freeze_dataset_id FOREIGN KEY (dataset_id) REFERENCES public.dataset(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.dataset_item
    ADD CONSTRAINT fk_dataset_item_asset_id FOREIGN KEY (asset_id) REFERENCES public.asset(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.dataset_item
    ADD CONSTRAINT fk_dataset_item_dataset_id FOREIGN KEY (dataset_id) REFERENCES public.dataset(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.dataset
    ADD CONSTRAINT fk_dataset_manifest_asset_id FOREIGN KEY (manifest_asset_id) REFERENCES public.asset(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.defect_extraction
    ADD CONSTRAINT fk_defect_extraction_camera_id FOREIGN KEY (camera_id) REFERENCES public.camera(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.defect_extraction
    ADD CONSTRAINT fk_defect_extraction_maps_asset_id FOREIGN KEY (maps_asset_id) REFERENCES public.asset(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.defect_extraction
    ADD CONSTRAINT fk_defect_extraction_session_id FOREIGN KEY (session_id) REFERENCES public.session(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.defect_ledger
    ADD CONSTRAINT fk_defect_ledger_camera_id FOREIGN KEY (camera_id) REFERENCES public.camera(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.defect_observation
    ADD CONSTRAINT fk_defect_observation_extraction_id FOREIGN KEY (extraction_id) REFERENCES public.defect_extraction(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.dust_spot
    ADD CONSTRAINT fk_dust_spot_extraction_id FOREIGN KEY (extraction_id) REFERENCES public.flat_extraction(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.experiment
    ADD CONSTRAINT fk_experiment_dataset_id FOREIGN KEY (dataset_id) REFERENCES public.dataset(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.fixture_revision
    ADD CONSTRAINT fk_fixture_revision_fixture_id FOREIGN KEY (fixture_id) REFERENCES public.fixture(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.flat_extraction
    ADD CONSTRAINT fk_flat_extraction_camera_id FOREIGN KEY (camera_id) REFERENCES public.camera(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.flat_extraction
    ADD CONSTRAINT fk_flat_extraction_session_id FOREIGN KEY (session_id) REFERENCES public.session(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.flat_observation
    ADD CONSTRAINT fk_flat_observation_extraction_id FOREIGN KEY (extraction_id) REFERENCES public.flat_extraction(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.frame_measures
    ADD CONSTRAINT fk_frame_measures_asset_id FOREIGN KEY (asset_id) REFERENCES public.asset(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.job_event
    ADD CONSTRAINT fk_job_event_job_id FOREIGN KEY (job_id) REFERENCES public.job(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.ledger_defect
    ADD CONSTRAINT fk_ledger_defect_ledger_id FOREIGN KEY (ledger_id) REFERENCES public.defect_ledger(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.ledger_history
    ADD CONSTRAINT fk_ledger_history_ledger_id FOREIGN KEY (ledger_id) REFERENCES public.defect_ledger(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.ledger_history
    ADD CONSTRAINT fk_ledger_history_series_asset_id FOREIGN KEY (series_asset_id) REFERENCES public.asset(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.model_event
    ADD CONSTRAINT fk_model_event_model_id FOREIGN KEY (model_id) REFERENCES public.registered_model(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.mounted_camera
    ADD CONSTRAINT fk_mounted_camera_camera_id FOREIGN KEY (camera_id) REFERENCES public.camera(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.mounted_camera
    ADD CONSTRAINT fk_mounted_camera_fixture_revision_id FOREIGN KEY (fixture_revision_id) REFERENCES public.fixture_revision(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.occurrence_event
    ADD CONSTRAINT fk_occurrence_event_occurrence_id FOREIGN KEY (occurrence_id) REFERENCES public.occurrence(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.occurrence
    ADD CONSTRAINT fk_occurrence_schedule_id FOREIGN KEY (schedule_id) REFERENCES public.schedule(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.occurrence_session
    ADD CONSTRAINT fk_occurrence_session_occurrence_id FOREIGN KEY (occurrence_id) REFERENCES public.occurrence(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.occurrence_session
    ADD CONSTRAINT fk_occurrence_session_session_id FOREIGN KEY (session_id) REFERENCES public.session(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.operator_answer
    ADD CONSTRAINT fk_operator_answer_prompt_id FOREIGN KEY (prompt_id) REFERENCES public.operator_prompt(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.operator_prompt
    ADD CONSTRAINT fk_operator_prompt_session_id FOREIGN KEY (session_id) REFERENCES public.session(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.perceptual_hash
    ADD CONSTRAINT fk_perceptual_hash_asset_id FOREIGN KEY (asset_id) REFERENCES public.asset(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.prediction
    ADD CONSTRAINT fk_prediction_asset_id FOREIGN KEY (asset_id) REFERENCES public.asset(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.prediction
    ADD CONSTRAINT fk_prediction_run_id FOREIGN KEY (run_id) REFERENCES public.run(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.registered_model
    ADD CONSTRAINT fk_registered_model_experiment_id FOREIGN KEY (experiment_id) REFERENCES public.experiment(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.retraining_event
    ADD CONSTRAINT fk_retraining_event_retraining_id FOREIGN KEY (retraining_id) REFERENCES public.retraining(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.retraining
    ADD CONSTRAINT fk_retraining_timeslot_id FOREIGN KEY (timeslot_id) REFERENCES public.timeslot(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.run_execution
    ADD CONSTRAINT fk_run_execution_dataset_id FOREIGN KEY (dataset_id) REFERENCES public.dataset(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.run_execution
    ADD CONSTRAINT fk_run_execution_run_id FOREIGN KEY (run_id) REFERENCES public.run(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.run
    ADD CONSTRAINT fk_run_experiment_id FOREIGN KEY (experiment_id) REFERENCES public.experiment(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.run
    ADD CONSTRAINT fk_run_model_asset_id FOREIGN KEY (model_asset_id) REFERENCES public.asset(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.run_predictions
    ADD CONSTRAINT fk_run_predictions_predictions_asset_id FOREIGN KEY (predictions_asset_id) REFERENCES public.asset(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.run_predictions
    ADD CONSTRAINT fk_run_predictions_run_id FOREIGN KEY (run_id) REFERENCES public.run(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.saliency_map
    ADD CONSTRAINT fk_saliency_map_camera_id FOREIGN KEY (camera_id) REFERENCES public.camera(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.saliency_map
    ADD CONSTRAINT fk_saliency_map_map_asset_id FOREIGN KEY (map_asset_id) REFERENCES public.asset(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.saliency_map
    ADD CONSTRAINT fk_saliency_map_run_id FOREIGN KEY (run_id) REFERENCES public.run(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.scene
    ADD CONSTRAINT fk_scene_fixture_id FOREIGN KEY (fixture_id) REFERENCES public.fixture(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.scene_reference
    ADD CONSTRAINT fk_scene_reference_camera_id FOREIGN KEY (camera_id) REFERENCES public.camera(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.scene_reference
    ADD CONSTRAINT fk_scene_reference_scene_revision_id FOREIGN KEY (scene_revision_id) REFERENCES public.scene_revision(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.scene_reference
    ADD CONSTRAINT fk_scene_reference_shot_id FOREIGN KEY (shot_id) REFERENCES public.shot(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.scene_revision
    ADD CONSTRAINT fk_scene_revision_fixture_revision_id FOREIGN KEY (fixture_revision_id) REFERENCES public.fixture_revision(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.scene_revision
    ADD CONSTRAINT fk_scene_revision_scene_id FOREIGN KEY (scene_id) REFERENCES public.scene(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.schedule_event
    ADD CONSTRAINT fk_schedule_event_schedule_id FOREIGN KEY (schedule_id) REFERENCES public.schedule(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.schedule_expansion
    ADD CONSTRAINT fk_schedule_expansion_schedule_id FOREIGN KEY (schedule_id) REFERENCES public.schedule(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.schedule
    ADD CONSTRAINT fk_schedule_fixture_id FOREIGN KEY (fixture_id) REFERENCES public.fixture(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.schedule
    ADD CONSTRAINT fk_schedule_recipe_id FOREIGN KEY (recipe_id) REFERENCES public.recipe(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.session_event
    ADD CONSTRAINT fk_session_event_session_id FOREIGN KEY (session_id) REFERENCES public.session(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.session
    ADD CONSTRAINT fk_session_fixture_revision_id FOREIGN KEY (fixture_revision_id) REFERENCES public.fixture_revision(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.session
    ADD CONSTRAINT fk_session_recipe_id FOREIGN KEY (recipe_id) REFERENCES public.recipe(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.session_request
    ADD CONSTRAINT fk_session_request_session_id FOREIGN KEY (session_id) REFERENCES public.session(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.shot
    ADD CONSTRAINT fk_shot_camera_id FOREIGN KEY (camera_id) REFERENCES public.camera(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.shot_event
    ADD CONSTRAINT fk_shot_event_shot_id FOREIGN KEY (shot_id) REFERENCES public.shot(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.shot
    ADD CONSTRAINT fk_shot_scene_revision_id FOREIGN KEY (scene_revision_id) REFERENCES public.scene_revision(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.shot
    ADD CONSTRAINT fk_shot_session_id FOREIGN KEY (session_id) REFERENCES public.session(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.shot_settings
    ADD CONSTRAINT fk_shot_settings_shot_id FOREIGN KEY (shot_id) REFERENCES public.shot(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.shot_status
    ADD CONSTRAINT fk_shot_status_shot_id FOREIGN KEY (shot_id) REFERENCES public.shot(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.staged_scene
    ADD CONSTRAINT fk_staged_scene_fixture_revision_id FOREIGN KEY (fixture_revision_id) REFERENCES public.fixture_revision(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.staged_scene
    ADD CONSTRAINT fk_staged_scene_scene_revision_id FOREIGN KEY (scene_revision_id) REFERENCES public.scene_revision(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.timeslot
    ADD CONSTRAINT fk_timeslot_scheme_id FOREIGN KEY (scheme_id) REFERENCES public.timeslot_scheme(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.verdict
    ADD CONSTRAINT fk_verdict_shot_id FOREIGN KEY (shot_id) REFERENCES public.shot(id) ON DELETE RESTRICT;
