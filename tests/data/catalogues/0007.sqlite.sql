BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0007');
CREATE TABLE asset (
	id INTEGER NOT NULL, 
	sha256 VARCHAR NOT NULL, 
	bytes INTEGER NOT NULL, 
	role VARCHAR NOT NULL, 
	shot_id INTEGER, 
	original_name VARCHAR, 
	width INTEGER, 
	height INTEGER, 
	exif JSON, 
	metadata_reader VARCHAR, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_asset PRIMARY KEY (id), 
	CONSTRAINT ck_asset_role CHECK (role in ('raw', 'jpeg', 'preview', 'sidecar', 'other', 'manifest', 'model', 'measurement')), 
	CONSTRAINT ck_asset_sha256_length CHECK (length(sha256) = 64), 
	CONSTRAINT fk_asset_shot_id FOREIGN KEY(shot_id) REFERENCES shot (id) ON DELETE RESTRICT, 
	CONSTRAINT uq_asset_sha256 UNIQUE (sha256)
);
INSERT INTO "asset" VALUES(1,'0000000000000000000000000000000000000000000000000000000000000001',5000000001,'raw',1,'IMG_0001.DNG',6000,4000,'{"Model": "NIKON D7100", "Comment": "a \"quoted\" \\ \n line"}','exiftool 12.57','2026-03-29 01:03:20.999999');
INSERT INTO "asset" VALUES(2,'0000000000000000000000000000000000000000000000000000000000000002',5000000002,'jpeg',1,'IMG_0002.DNG',6000,4000,NULL,NULL,'2026-03-29 01:03:21.999999');
INSERT INTO "asset" VALUES(3,'0000000000000000000000000000000000000000000000000000000000000003',5000000003,'raw',4,'IMG_0003.DNG',6000,4000,NULL,NULL,'2026-03-29 01:03:22.999999');
INSERT INTO "asset" VALUES(4,'0000000000000000000000000000000000000000000000000000000000000004',5000000004,'other',20,'IMG_0004.DNG',6000,4000,NULL,NULL,'2026-03-29 01:03:23.999999');
INSERT INTO "asset" VALUES(5,'0000000000000000000000000000000000000000000000000000000000000005',5000000005,'manifest',NULL,NULL,6000,4000,NULL,NULL,'2026-03-29 01:03:24.999999');
INSERT INTO "asset" VALUES(6,'0000000000000000000000000000000000000000000000000000000000000006',5000000006,'model',NULL,NULL,6000,4000,NULL,NULL,'2026-03-29 01:03:25.999999');
INSERT INTO "asset" VALUES(7,'0000000000000000000000000000000000000000000000000000000000000007',5000000007,'measurement',NULL,NULL,6000,4000,NULL,NULL,'2026-03-29 01:03:26.999999');
CREATE TABLE asset_location (
	asset_id INTEGER NOT NULL, 
	store_id INTEGER NOT NULL, 
	verified_at DATETIME NOT NULL, problem varchar constraint ck_asset_location_problem check (problem is null or problem in ('damaged', 'missing', 'unreadable')), problem_at DATETIME, 
	CONSTRAINT pk_asset_location PRIMARY KEY (asset_id, store_id), 
	CONSTRAINT fk_asset_location_asset_id FOREIGN KEY(asset_id) REFERENCES asset (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_asset_location_store_id FOREIGN KEY(store_id) REFERENCES store (id) ON DELETE RESTRICT
);
INSERT INTO "asset_location" VALUES(1,1,'2026-03-29 01:08:19.999999',NULL,NULL);
INSERT INTO "asset_location" VALUES(2,1,'2026-03-29 01:06:39.999999',NULL,NULL);
INSERT INTO "asset_location" VALUES(3,1,'2026-03-29 01:08:19.999999','damaged','2026-03-29 02:23:19.999999');
CREATE TABLE asset_reference (
	id INTEGER NOT NULL, 
	asset_id INTEGER NOT NULL, 
	session_id INTEGER NOT NULL, 
	folder VARCHAR NOT NULL, 
	path VARCHAR NOT NULL, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_asset_reference PRIMARY KEY (id), 
	CONSTRAINT fk_asset_reference_asset_id FOREIGN KEY(asset_id) REFERENCES asset (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_asset_reference_session_id FOREIGN KEY(session_id) REFERENCES session (id) ON DELETE RESTRICT, 
	CONSTRAINT uq_asset_reference_asset_id_folder_path UNIQUE (asset_id, folder, path)
);
INSERT INTO "asset_reference" VALUES(1,4,2,'/media/old disk','DCIM/IMG_0001.JPG','2026-03-29 02:00:00.999999');
CREATE TABLE audit (
	id INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	action VARCHAR NOT NULL, 
	entry JSON NOT NULL, 
	previous_sha256 VARCHAR NOT NULL, 
	sha256 VARCHAR NOT NULL, 
	CONSTRAINT pk_audit PRIMARY KEY (id), 
	CONSTRAINT uq_audit_previous_sha256 UNIQUE (previous_sha256), 
	CONSTRAINT uq_audit_sha256 UNIQUE (sha256)
);
INSERT INTO "audit" VALUES(1,'2026-03-29 00:59:59.999999','fixture.add','{"name": "north", "revision": 1}','0000000000000000000000000000000000000000000000000000000000000000','e67d5a627334531ab1572ec8bd5674d9a54308889ee616d5a9630335fedee93d');
INSERT INTO "audit" VALUES(2,'2026-03-29 01:01:49.999999','verdict.add','{"author": "Ana", "shot": "00000000-0000-4000-8000-000000000001", "verdict": "accepted"}','e67d5a627334531ab1572ec8bd5674d9a54308889ee616d5a9630335fedee93d','0409ee74fc3308f69c3a1fcb9b0d3cacea16952ebdfb6e5fe86f039d1d2f8aba');
INSERT INTO "audit" VALUES(3,'2026-03-29 01:11:39.999999','dataset.freeze','{"name": "controlled", "version": "0000000000000000000000000000000000000000000000000000000000000067"}','0409ee74fc3308f69c3a1fcb9b0d3cacea16952ebdfb6e5fe86f039d1d2f8aba','7ae8f158b6b66a91eeb0f55f4cc8c576e553242b81c9a77f4dd96fb962987f17');
CREATE TABLE camera (
	id INTEGER NOT NULL, 
	serial VARCHAR NOT NULL, 
	identity_source VARCHAR NOT NULL, 
	make VARCHAR NOT NULL, 
	model VARCHAR NOT NULL, 
	simulated BOOLEAN NOT NULL, 
	sensor_type VARCHAR, 
	width INTEGER, 
	height INTEGER, 
	pixel_pitch_um DOUBLE, 
	cfa VARCHAR, 
	white_level INTEGER, 
	registered_at DATETIME NOT NULL, 
	CONSTRAINT pk_camera PRIMARY KEY (id), 
	CONSTRAINT ck_camera_identity_source CHECK (identity_source in ('serial', 'alias')), 
	CONSTRAINT uq_camera_make_model_serial UNIQUE (make, model, serial)
);
INSERT INTO "camera" VALUES(1,'7100001','serial','Nikon','D7100',0,'CMOS',6000,4000,3.9,'RGGB',16383,'2026-03-29 00:59:59.999999');
INSERT INTO "camera" VALUES(7,'old body','alias','Canon','PowerShot A720 IS',1,NULL,NULL,NULL,NULL,NULL,NULL,'2026-03-28 00:59:59.999999');
CREATE TABLE camera_fingerprint (
	id INTEGER NOT NULL, 
	camera_id INTEGER NOT NULL, 
	code_version VARCHAR NOT NULL, 
	inputs JSON NOT NULL, 
	fingerprint_asset_id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_camera_fingerprint PRIMARY KEY (id), 
	CONSTRAINT fk_camera_fingerprint_camera_id FOREIGN KEY(camera_id) REFERENCES camera (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_camera_fingerprint_fingerprint_asset_id FOREIGN KEY(fingerprint_asset_id) REFERENCES asset (id) ON DELETE RESTRICT
);
INSERT INTO "camera_fingerprint" VALUES(1,1,'0.6.0','["0000000000000000000000000000000000000000000000000000000000000001"]',1,'2026-03-29 02:56:40.999999');
CREATE TABLE clock_probe (
	id INTEGER NOT NULL, 
	camera_id INTEGER NOT NULL, 
	session_id INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	skew_s DOUBLE NOT NULL, 
	source VARCHAR NOT NULL, 
	CONSTRAINT pk_clock_probe PRIMARY KEY (id), 
	CONSTRAINT ck_clock_probe_source CHECK (source in ('probe', 'exif')), 
	CONSTRAINT fk_clock_probe_camera_id FOREIGN KEY(camera_id) REFERENCES camera (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_clock_probe_session_id FOREIGN KEY(session_id) REFERENCES session (id) ON DELETE RESTRICT
);
INSERT INTO "clock_probe" VALUES(1,1,1,'2026-03-29 01:00:01.999999',-3599.5,'probe');
CREATE TABLE daemon (
	id INTEGER NOT NULL, 
	uuid VARCHAR NOT NULL, 
	holder VARCHAR NOT NULL, 
	version VARCHAR NOT NULL, 
	clock_source VARCHAR NOT NULL, 
	state VARCHAR NOT NULL, 
	started_at DATETIME NOT NULL, 
	seen_at DATETIME NOT NULL, 
	CONSTRAINT pk_daemon PRIMARY KEY (id), 
	CONSTRAINT ck_daemon_state CHECK (state in ('running', 'draining', 'stopped')), 
	CONSTRAINT uq_daemon_uuid UNIQUE (uuid)
);
INSERT INTO "daemon" VALUES(1,'00000000-0000-4000-8000-000000000906','process 1 on lab','0.3.0','host','stopped','2026-03-29 00:59:59.999999','2026-03-29 02:23:19.999999');
CREATE TABLE dataset (
	id INTEGER NOT NULL, 
	version VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	specification JSON NOT NULL, 
	waived JSON NOT NULL, 
	manifest_asset_id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_dataset PRIMARY KEY (id), 
	CONSTRAINT fk_dataset_manifest_asset_id FOREIGN KEY(manifest_asset_id) REFERENCES asset (id) ON DELETE RESTRICT, 
	CONSTRAINT uq_dataset_version UNIQUE (version)
);
INSERT INTO "dataset" VALUES(1,'0000000000000000000000000000000000000000000000000000000000000067','controlled','{"classes": []}','[]',5,'2026-03-29 01:11:39.999999');
CREATE TABLE dataset_audit (
	id INTEGER NOT NULL, 
	uuid VARCHAR NOT NULL, 
	manifest_version VARCHAR NOT NULL, 
	verdict VARCHAR NOT NULL, 
	rules JSON NOT NULL, 
	parameters JSON NOT NULL, 
	report_asset_id INTEGER NOT NULL, 
	code_version VARCHAR NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_dataset_audit PRIMARY KEY (id), 
	CONSTRAINT ck_dataset_audit_verdict CHECK (verdict in ('pass', 'warn', 'fail')), 
	CONSTRAINT fk_dataset_audit_report_asset_id FOREIGN KEY(report_asset_id) REFERENCES asset (id) ON DELETE RESTRICT, 
	CONSTRAINT uq_dataset_audit_uuid UNIQUE (uuid)
);
INSERT INTO "dataset_audit" VALUES(1,'00000000-0000-4000-8000-000000000050','0000000000000000000000000000000000000000000000000000000000000067','fail','{"scene": "fail", "temperature": "inconclusive"}','{"alpha": 0.05, "permutations": 9999, "seed": 0}',1,'0.5.0','2026-03-29 02:39:59.999999');
CREATE TABLE dataset_freeze (
	dataset_id INTEGER NOT NULL, 
	audit_id INTEGER NOT NULL, 
	forced_reason VARCHAR, 
	family VARCHAR, 
	fold INTEGER, 
	CONSTRAINT pk_dataset_freeze PRIMARY KEY (dataset_id), 
	CONSTRAINT ck_dataset_freeze_fold_of_family CHECK ((family is null) = (fold is null)), 
	CONSTRAINT fk_dataset_freeze_audit_id FOREIGN KEY(audit_id) REFERENCES dataset_audit (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_dataset_freeze_dataset_id FOREIGN KEY(dataset_id) REFERENCES dataset (id) ON DELETE RESTRICT
);
INSERT INTO "dataset_freeze" VALUES(1,1,'shows what content does',NULL,NULL);
CREATE TABLE dataset_item (
	dataset_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	asset_id INTEGER NOT NULL, 
	class_name VARCHAR NOT NULL, 
	block VARCHAR NOT NULL, 
	CONSTRAINT pk_dataset_item PRIMARY KEY (dataset_id, position), 
	CONSTRAINT fk_dataset_item_asset_id FOREIGN KEY(asset_id) REFERENCES asset (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_dataset_item_dataset_id FOREIGN KEY(dataset_id) REFERENCES dataset (id) ON DELETE RESTRICT
);
INSERT INTO "dataset_item" VALUES(1,0,1,'early','train');
CREATE TABLE defect_extraction (
	id INTEGER NOT NULL, 
	session_id INTEGER NOT NULL, 
	camera_id INTEGER NOT NULL, 
	code_version VARCHAR NOT NULL, 
	parameters JSON NOT NULL, 
	parameters_sha256 VARCHAR NOT NULL, 
	inputs JSON NOT NULL, 
	summary JSON NOT NULL, 
	maps_asset_id INTEGER, 
	started_at DATETIME NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_defect_extraction PRIMARY KEY (id), 
	CONSTRAINT fk_defect_extraction_camera_id FOREIGN KEY(camera_id) REFERENCES camera (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_defect_extraction_maps_asset_id FOREIGN KEY(maps_asset_id) REFERENCES asset (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_defect_extraction_session_id FOREIGN KEY(session_id) REFERENCES session (id) ON DELETE RESTRICT, 
	CONSTRAINT uq_defect_extraction_session_id_camera_id_parameters_sha256 UNIQUE (session_id, camera_id, parameters_sha256)
);
INSERT INTO "defect_extraction" VALUES(1,1,1,'0.1.0','{"threshold": 5.0}','0000000000000000000000000000000000000000000000000000000000000068','["0000000000000000000000000000000000000000000000000000000000000001"]','{"frames": 2}',7,'2026-03-29 01:00:00.999999','2026-03-29 01:09:59.999999');
CREATE TABLE defect_ledger (
	id INTEGER NOT NULL, 
	uuid VARCHAR NOT NULL, 
	camera_id INTEGER NOT NULL, 
	code_version VARCHAR NOT NULL, 
	parameters JSON NOT NULL, 
	inputs JSON NOT NULL, 
	summary JSON NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_defect_ledger PRIMARY KEY (id), 
	CONSTRAINT fk_defect_ledger_camera_id FOREIGN KEY(camera_id) REFERENCES camera (id) ON DELETE RESTRICT, 
	CONSTRAINT uq_defect_ledger_uuid UNIQUE (uuid)
);
INSERT INTO "defect_ledger" VALUES(1,'00000000-0000-4000-8000-000000000900',1,'0.1.0','{"threshold": 5.0}','[1]','{"defects": 1}','2026-03-29 01:14:59.999999');
CREATE TABLE defect_observation (
	extraction_id INTEGER NOT NULL, 
	"row" INTEGER NOT NULL, 
	"column" INTEGER NOT NULL, 
	kind VARCHAR NOT NULL, 
	dark_rate_dn_per_s DOUBLE, 
	dark_rate_error_dn_per_s DOUBLE, 
	offset_dn DOUBLE, 
	offset_error_dn DOUBLE, 
	amplitude_dn DOUBLE NOT NULL, 
	significance DOUBLE NOT NULL, 
	flags JSON NOT NULL, 
	CONSTRAINT pk_defect_observation PRIMARY KEY (extraction_id, "row", "column"), 
	CONSTRAINT fk_defect_observation_extraction_id FOREIGN KEY(extraction_id) REFERENCES defect_extraction (id) ON DELETE RESTRICT
);
INSERT INTO "defect_observation" VALUES(1,17,3999,'hot',103.1,NULL,0.0,0.5,412.5,31.0,'[]');
CREATE TABLE dust_spot (
	extraction_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	"row" DOUBLE NOT NULL, 
	"column" DOUBLE NOT NULL, 
	radius_photosites DOUBLE NOT NULL, 
	depth DOUBLE NOT NULL, 
	depth_error DOUBLE NOT NULL, 
	significance DOUBLE NOT NULL, 
	CONSTRAINT pk_dust_spot PRIMARY KEY (extraction_id, number), 
	CONSTRAINT fk_dust_spot_extraction_id FOREIGN KEY(extraction_id) REFERENCES flat_extraction (id) ON DELETE RESTRICT
);
INSERT INTO "dust_spot" VALUES(1,0,10.5,20.25,6.0,0.08,0.004,20.0);
CREATE TABLE experiment (
	id INTEGER NOT NULL, 
	uuid VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	dataset_id INTEGER NOT NULL, 
	specification JSON NOT NULL, 
	content_sha256 VARCHAR NOT NULL, 
	code_version VARCHAR NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_experiment PRIMARY KEY (id), 
	CONSTRAINT fk_experiment_dataset_id FOREIGN KEY(dataset_id) REFERENCES dataset (id) ON DELETE RESTRICT, 
	CONSTRAINT uq_experiment_content_sha256 UNIQUE (content_sha256), 
	CONSTRAINT uq_experiment_uuid UNIQUE (uuid)
);
INSERT INTO "experiment" VALUES(1,'00000000-0000-4000-8000-000000000901','age',1,'{"network": "srnet"}','0000000000000000000000000000000000000000000000000000000000000069','0.1.0','2026-03-29 01:13:19.999999');
CREATE TABLE fixture (
	id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	simulated BOOLEAN NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_fixture PRIMARY KEY (id), 
	CONSTRAINT uq_fixture_name UNIQUE (name)
);
INSERT INTO "fixture" VALUES(1,'north',0,'2026-03-29 00:59:59.999999');
CREATE TABLE fixture_revision (
	id INTEGER NOT NULL, 
	fixture_id INTEGER NOT NULL, 
	revision INTEGER NOT NULL, 
	content_sha256 VARCHAR NOT NULL, 
	description JSON NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_fixture_revision PRIMARY KEY (id), 
	CONSTRAINT fk_fixture_revision_fixture_id FOREIGN KEY(fixture_id) REFERENCES fixture (id) ON DELETE RESTRICT, 
	CONSTRAINT uq_fixture_revision_fixture_id_revision UNIQUE (fixture_id, revision)
);
INSERT INTO "fixture_revision" VALUES(1,1,1,'0000000000000000000000000000000000000000000000000000000000000065','{"name": "north", "zone": "Europe/Vienna", "width_m": 0.5}','2026-03-29 00:59:59.999999');
CREATE TABLE flat_extraction (
	id INTEGER NOT NULL, 
	session_id INTEGER NOT NULL, 
	camera_id INTEGER NOT NULL, 
	code_version VARCHAR NOT NULL, 
	parameters JSON NOT NULL, 
	parameters_sha256 VARCHAR NOT NULL, 
	inputs JSON NOT NULL, 
	summary JSON NOT NULL, 
	started_at DATETIME NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_flat_extraction PRIMARY KEY (id), 
	CONSTRAINT fk_flat_extraction_camera_id FOREIGN KEY(camera_id) REFERENCES camera (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_flat_extraction_session_id FOREIGN KEY(session_id) REFERENCES session (id) ON DELETE RESTRICT, 
	CONSTRAINT uq_flat_extraction_session_id_camera_id_parameters_sha256 UNIQUE (session_id, camera_id, parameters_sha256)
);
INSERT INTO "flat_extraction" VALUES(1,1,1,'0.6.0','{"false_discovery_rate": 0.01}','000000000000000000000000000000000000000000000000000000000000006e','["0000000000000000000000000000000000000000000000000000000000000001"]','{"rows": 64, "columns": 64}','2026-03-29 01:00:00.999999','2026-03-29 02:56:39.999999');
CREATE TABLE flat_observation (
	extraction_id INTEGER NOT NULL, 
	"row" INTEGER NOT NULL, 
	"column" INTEGER NOT NULL, 
	kind VARCHAR NOT NULL, 
	response DOUBLE NOT NULL, 
	response_error DOUBLE NOT NULL, 
	significance DOUBLE NOT NULL, 
	under_dust BOOLEAN NOT NULL, 
	CONSTRAINT pk_flat_observation PRIMARY KEY (extraction_id, "row", "column"), 
	CONSTRAINT fk_flat_observation_extraction_id FOREIGN KEY(extraction_id) REFERENCES flat_extraction (id) ON DELETE RESTRICT
);
INSERT INTO "flat_observation" VALUES(1,3,5,'dead',0.01,0.002,90.5,0);
CREATE TABLE frame_measures (
	asset_id INTEGER NOT NULL, 
	black_level_dn DOUBLE, 
	mean_dn DOUBLE, 
	clipped_share DOUBLE, 
	sharpness DOUBLE, 
	temperature_c DOUBLE, 
	code_version VARCHAR NOT NULL, 
	measured_at DATETIME NOT NULL, 
	CONSTRAINT pk_frame_measures PRIMARY KEY (asset_id), 
	CONSTRAINT fk_frame_measures_asset_id FOREIGN KEY(asset_id) REFERENCES asset (id) ON DELETE RESTRICT
);
INSERT INTO "frame_measures" VALUES(1,600.0,601.5,0.0,NULL,31.5,'0.4.0','2026-03-29 02:23:19.999999');
CREATE TABLE job (
	id INTEGER NOT NULL, 
	uuid VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	subject VARCHAR NOT NULL, 
	command JSON NOT NULL, 
	limit_s DOUBLE NOT NULL, 
	state VARCHAR NOT NULL, 
	reason VARCHAR, 
	detail VARCHAR, 
	due_at DATETIME NOT NULL, 
	attempts INTEGER NOT NULL, 
	started_at DATETIME, 
	ended_at DATETIME, 
	exit_code INTEGER, 
	log VARCHAR, 
	CONSTRAINT pk_job PRIMARY KEY (id), 
	CONSTRAINT ck_job_state CHECK (state in ('pending', 'running', 'completed', 'failed', 'cancelled')), 
	CONSTRAINT uq_job_name_subject UNIQUE (name, subject), 
	CONSTRAINT uq_job_uuid UNIQUE (uuid)
);
INSERT INTO "job" VALUES(1,'00000000-0000-4000-8000-000000000905','extract-defects','00000000-0000-4000-8000-000000001001','["defects", "extract"]',3600.0,'failed','exit-code','it said: no','2026-03-29 01:00:59.999999',3,'2026-03-29 01:01:00.999999','2026-03-29 01:01:01.999999',1,'jobs/1.log');
CREATE TABLE job_event (
	id INTEGER NOT NULL, 
	job_id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	at DATETIME NOT NULL, 
	"by" VARCHAR, 
	detail VARCHAR, 
	CONSTRAINT pk_job_event PRIMARY KEY (id), 
	CONSTRAINT ck_job_event_name CHECK (name in ('pending', 'running', 'completed', 'failed', 'cancelled')), 
	CONSTRAINT fk_job_event_job_id FOREIGN KEY(job_id) REFERENCES job (id) ON DELETE RESTRICT
);
INSERT INTO "job_event" VALUES(1,1,'failed','2026-03-29 01:01:01.999999',NULL,NULL);
CREATE TABLE lease (
	resource VARCHAR NOT NULL, 
	holder VARCHAR NOT NULL, 
	fencing_token INTEGER NOT NULL, 
	expires_at DATETIME NOT NULL, 
	CONSTRAINT pk_lease PRIMARY KEY (resource)
);
INSERT INTO "lease" VALUES('camera:7100001','process 1 on lab',3,'2026-03-29 01:00:59.999999');
CREATE TABLE ledger_defect (
	ledger_id INTEGER NOT NULL, 
	"row" INTEGER NOT NULL, 
	"column" INTEGER NOT NULL, 
	kind VARCHAR NOT NULL, 
	pre_existing BOOLEAN NOT NULL, 
	onset_after DATETIME, 
	onset_before DATETIME NOT NULL, 
	last_seen DATETIME NOT NULL, 
	dark_rate_dn_per_s DOUBLE, 
	dark_rate_error_dn_per_s DOUBLE, 
	offset_dn DOUBLE, 
	offset_error_dn DOUBLE, 
	amplitude_dn DOUBLE NOT NULL, 
	significance DOUBLE NOT NULL, 
	blinking BOOLEAN NOT NULL, 
	annealed BOOLEAN NOT NULL, 
	flags JSON NOT NULL, mapped_out BOOLEAN, 
	CONSTRAINT pk_ledger_defect PRIMARY KEY (ledger_id, "row", "column"), 
	CONSTRAINT fk_ledger_defect_ledger_id FOREIGN KEY(ledger_id) REFERENCES defect_ledger (id) ON DELETE RESTRICT
);
INSERT INTO "ledger_defect" VALUES(1,17,3999,'hot',0,'2026-03-28 00:59:59.999999','2026-03-29 00:59:59.999999','2026-03-29 00:59:59.999999',1.0e-09,3.00000000000000044408e-01,NULL,NULL,412.5,31.0,1,0,'["few-frames"]',NULL);
CREATE TABLE ledger_history (
	ledger_id INTEGER NOT NULL, 
	series_asset_id INTEGER NOT NULL, 
	mapping_events JSON NOT NULL, 
	CONSTRAINT pk_ledger_history PRIMARY KEY (ledger_id), 
	CONSTRAINT fk_ledger_history_ledger_id FOREIGN KEY(ledger_id) REFERENCES defect_ledger (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_ledger_history_series_asset_id FOREIGN KEY(series_asset_id) REFERENCES asset (id) ON DELETE RESTRICT
);
INSERT INTO "ledger_history" VALUES(1,1,'[{"session": "00000000-0000-4000-8000-000000000020", "vanished": 40, "at_risk": 44}]');
CREATE TABLE model_event (
	id INTEGER NOT NULL, 
	model_id INTEGER NOT NULL, 
	state VARCHAR NOT NULL, 
	at DATETIME NOT NULL, 
	operator VARCHAR, 
	reason VARCHAR NOT NULL, 
	numbers JSON, 
	CONSTRAINT pk_model_event PRIMARY KEY (id), 
	CONSTRAINT ck_model_event_state CHECK (state in ('candidate', 'in-service', 'retired', 'rejected')), 
	CONSTRAINT fk_model_event_model_id FOREIGN KEY(model_id) REFERENCES registered_model (id) ON DELETE RESTRICT
);
INSERT INTO "model_event" VALUES(1,1,'candidate','2026-03-29 03:13:20.999999',NULL,'the first of its line',NULL);
INSERT INTO "model_event" VALUES(2,1,'in-service','2026-03-29 03:13:21.999999','Ana','the first of its line','{"accuracy": 0.9}');
CREATE TABLE mounted_camera (
	fixture_revision_id INTEGER NOT NULL, 
	camera_id INTEGER NOT NULL, 
	address VARCHAR NOT NULL, 
	CONSTRAINT pk_mounted_camera PRIMARY KEY (fixture_revision_id, camera_id), 
	CONSTRAINT fk_mounted_camera_camera_id FOREIGN KEY(camera_id) REFERENCES camera (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_mounted_camera_fixture_revision_id FOREIGN KEY(fixture_revision_id) REFERENCES fixture_revision (id) ON DELETE RESTRICT
);
INSERT INTO "mounted_camera" VALUES(1,1,'usb:001,004');
CREATE TABLE notification (
	id INTEGER NOT NULL, 
	uuid VARCHAR NOT NULL, 
	channel VARCHAR NOT NULL, 
	subject VARCHAR NOT NULL, 
	title VARCHAR NOT NULL, 
	body VARCHAR NOT NULL, 
	state VARCHAR NOT NULL, 
	attempts INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	next_attempt_at DATETIME NOT NULL, 
	sent_at DATETIME, 
	error VARCHAR, 
	CONSTRAINT pk_notification PRIMARY KEY (id), 
	CONSTRAINT ck_notification_state CHECK (state in ('pending', 'sent', 'failed')), 
	CONSTRAINT uq_notification_channel_subject UNIQUE (channel, subject), 
	CONSTRAINT uq_notification_uuid UNIQUE (uuid)
);
INSERT INTO "notification" VALUES(1,'00000000-0000-4000-8000-000000000907','lab','occurrence 2','missed','nobody was there','sent',1,'2026-03-29 01:21:39.999999','2026-03-29 01:21:39.999999','2026-03-29 01:21:40.999999',NULL);
CREATE TABLE occurrence (
	id INTEGER NOT NULL, 
	uuid VARCHAR NOT NULL, 
	schedule_id INTEGER NOT NULL, 
	due_at DATETIME NOT NULL, 
	starts_at DATETIME NOT NULL, 
	window_ends_at DATETIME NOT NULL, 
	state VARCHAR NOT NULL, 
	reason VARCHAR, 
	detail VARCHAR, 
	attempts INTEGER NOT NULL, 
	not_before DATETIME, 
	settled_at DATETIME, 
	CONSTRAINT pk_occurrence PRIMARY KEY (id), 
	CONSTRAINT ck_occurrence_state CHECK (state in ('pending', 'claimed', 'completed', 'partial', 'failed', 'missed', 'cancelled')), 
	CONSTRAINT fk_occurrence_schedule_id FOREIGN KEY(schedule_id) REFERENCES schedule (id) ON DELETE RESTRICT, 
	CONSTRAINT uq_occurrence_schedule_id_due_at UNIQUE (schedule_id, due_at), 
	CONSTRAINT uq_occurrence_uuid UNIQUE (uuid)
);
INSERT INTO "occurrence" VALUES(1,'00000000-0000-4000-8000-000000000911',1,'2026-03-29 01:09:59.999999','2026-03-29 01:10:04.999999','2026-03-29 01:14:59.999999','completed',NULL,NULL,1,NULL,'2026-03-29 01:10:59.999999');
INSERT INTO "occurrence" VALUES(2,'00000000-0000-4000-8000-000000000912',1,'2026-03-29 01:19:59.999999','2026-03-29 01:20:04.999999','2026-03-29 01:24:59.999999','missed','daemon-down',NULL,1,NULL,'2026-03-29 01:20:59.999999');
CREATE TABLE occurrence_event (
	id INTEGER NOT NULL, 
	occurrence_id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	at DATETIME NOT NULL, 
	"by" VARCHAR, 
	reason VARCHAR, 
	detail VARCHAR, 
	CONSTRAINT pk_occurrence_event PRIMARY KEY (id), 
	CONSTRAINT ck_occurrence_event_name CHECK (name in ('pending', 'attended', 'waiting', 'claimed', 'taken-over', 'completed', 'partial', 'failed', 'missed', 'cancelled')), 
	CONSTRAINT fk_occurrence_event_occurrence_id FOREIGN KEY(occurrence_id) REFERENCES occurrence (id) ON DELETE RESTRICT
);
INSERT INTO "occurrence_event" VALUES(1,1,'pending','2026-03-29 01:10:00.999999','daemon 1',NULL,NULL);
INSERT INTO "occurrence_event" VALUES(2,1,'claimed','2026-03-29 01:10:01.999999','daemon 1',NULL,NULL);
INSERT INTO "occurrence_event" VALUES(3,1,'completed','2026-03-29 01:10:02.999999','daemon 1',NULL,NULL);
CREATE TABLE occurrence_session (
	session_id INTEGER NOT NULL, 
	occurrence_id INTEGER NOT NULL, 
	CONSTRAINT pk_occurrence_session PRIMARY KEY (session_id), 
	CONSTRAINT fk_occurrence_session_occurrence_id FOREIGN KEY(occurrence_id) REFERENCES occurrence (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_occurrence_session_session_id FOREIGN KEY(session_id) REFERENCES session (id) ON DELETE RESTRICT
);
INSERT INTO "occurrence_session" VALUES(1,1);
CREATE TABLE operator_answer (
	id INTEGER NOT NULL, 
	prompt_id INTEGER NOT NULL, 
	answer VARCHAR NOT NULL, 
	operator VARCHAR, 
	answered_at DATETIME NOT NULL, 
	CONSTRAINT pk_operator_answer PRIMARY KEY (id), 
	CONSTRAINT ck_operator_answer_answer CHECK (answer in ('done', 'refused')), 
	CONSTRAINT fk_operator_answer_prompt_id FOREIGN KEY(prompt_id) REFERENCES operator_prompt (id) ON DELETE RESTRICT, 
	CONSTRAINT uq_operator_answer_prompt_id UNIQUE (prompt_id)
);
INSERT INTO "operator_answer" VALUES(1,1,'done','Ana','2026-03-29 01:00:08.999999');
CREATE TABLE operator_prompt (
	id INTEGER NOT NULL, 
	uuid VARCHAR NOT NULL, 
	session_id INTEGER NOT NULL, 
	kind VARCHAR NOT NULL, 
	text VARCHAR NOT NULL, 
	asked_at DATETIME NOT NULL, 
	CONSTRAINT pk_operator_prompt PRIMARY KEY (id), 
	CONSTRAINT ck_operator_prompt_kind CHECK (kind in ('scene', 'cap')), 
	CONSTRAINT fk_operator_prompt_session_id FOREIGN KEY(session_id) REFERENCES session (id) ON DELETE RESTRICT, 
	CONSTRAINT uq_operator_prompt_uuid UNIQUE (uuid)
);
INSERT INTO "operator_prompt" VALUES(1,'00000000-0000-4000-8000-000000000903',1,'scene','please set up ''books''','2026-03-29 01:00:04.999999');
CREATE TABLE perceptual_hash (
	asset_id INTEGER NOT NULL, 
	hash VARCHAR, 
	code_version VARCHAR NOT NULL, 
	measured_at DATETIME NOT NULL, 
	CONSTRAINT pk_perceptual_hash PRIMARY KEY (asset_id), 
	CONSTRAINT fk_perceptual_hash_asset_id FOREIGN KEY(asset_id) REFERENCES asset (id) ON DELETE RESTRICT
);
INSERT INTO "perceptual_hash" VALUES(1,NULL,'0.5.0','2026-03-29 02:23:20.999999');
INSERT INTO "perceptual_hash" VALUES(4,'0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f','0.5.0','2026-03-29 02:23:21.999999');
CREATE TABLE prediction (
	id INTEGER NOT NULL, 
	run_id INTEGER NOT NULL, 
	evaluation VARCHAR NOT NULL, 
	asset_id INTEGER NOT NULL, 
	class_name VARCHAR NOT NULL, 
	predicted_class_name VARCHAR NOT NULL, 
	score DOUBLE NOT NULL, 
	crops INTEGER NOT NULL, 
	crops_correct INTEGER NOT NULL, 
	CONSTRAINT pk_prediction PRIMARY KEY (id), 
	CONSTRAINT ck_prediction_score CHECK (score >= 0 and score <= 1), 
	CONSTRAINT fk_prediction_asset_id FOREIGN KEY(asset_id) REFERENCES asset (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_prediction_run_id FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE RESTRICT
);
INSERT INTO "prediction" VALUES(1,1,'clean',1,'early','late',0.505,9,4);
CREATE TABLE recipe (
	id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	content_sha256 VARCHAR NOT NULL, 
	body JSON NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_recipe PRIMARY KEY (id), 
	CONSTRAINT uq_recipe_content_sha256 UNIQUE (content_sha256)
);
INSERT INTO "recipe" VALUES(1,'weekly','0000000000000000000000000000000000000000000000000000000000000064','{"shots": [{"kind": "dark-field", "exposure": "1/30", "count": 2}]}','2026-03-29 00:59:59.999999');
CREATE TABLE registered_model (
	id INTEGER NOT NULL, 
	uuid VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	version INTEGER NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_registered_model PRIMARY KEY (id), 
	CONSTRAINT fk_registered_model_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiment (id) ON DELETE RESTRICT, 
	CONSTRAINT uq_registered_model_uuid UNIQUE (uuid), 
	CONSTRAINT uq_registered_model_name_version UNIQUE (name, version), 
	CONSTRAINT uq_registered_model_name_experiment_id UNIQUE (name, experiment_id)
);
INSERT INTO "registered_model" VALUES(1,'00000000-0000-4000-8000-000000000120','monthly',1,1,'2026-03-29 03:13:19.999999');
CREATE TABLE retraining (
	id INTEGER NOT NULL, 
	uuid VARCHAR NOT NULL, 
	policy VARCHAR NOT NULL, 
	timeslot_id INTEGER NOT NULL, 
	policy_document JSON NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_retraining PRIMARY KEY (id), 
	CONSTRAINT fk_retraining_timeslot_id FOREIGN KEY(timeslot_id) REFERENCES timeslot (id) ON DELETE RESTRICT, 
	CONSTRAINT uq_retraining_uuid UNIQUE (uuid), 
	CONSTRAINT uq_retraining_policy_timeslot_id UNIQUE (policy, timeslot_id)
);
INSERT INTO "retraining" VALUES(1,'00000000-0000-4000-8000-000000000121','monthly',1,'{"name": "monthly"}','2026-03-29 03:13:29.999999');
CREATE TABLE retraining_event (
	id INTEGER NOT NULL, 
	retraining_id INTEGER NOT NULL, 
	step VARCHAR NOT NULL, 
	at DATETIME NOT NULL, 
	reason VARCHAR, 
	numbers JSON NOT NULL, 
	CONSTRAINT pk_retraining_event PRIMARY KEY (id), 
	CONSTRAINT ck_retraining_event_step CHECK (step in ('begun', 'frozen', 'unchanged', 'refused', 'trained', 'promoted', 'kept', 'failed')), 
	CONSTRAINT fk_retraining_event_retraining_id FOREIGN KEY(retraining_id) REFERENCES retraining (id) ON DELETE RESTRICT
);
INSERT INTO "retraining_event" VALUES(1,1,'frozen','2026-03-29 03:13:30.999999',NULL,'{"dataset": "0000000000000000000000000000000000000000000000000000000000000067"}');
CREATE TABLE run (
	id INTEGER NOT NULL, 
	uuid VARCHAR NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	ordinal INTEGER NOT NULL, 
	seed INTEGER NOT NULL, 
	machine JSON NOT NULL, 
	training_history JSON NOT NULL, 
	model_asset_id INTEGER NOT NULL, 
	started_at DATETIME NOT NULL, 
	finished_at DATETIME NOT NULL, 
	CONSTRAINT pk_run PRIMARY KEY (id), 
	CONSTRAINT fk_run_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiment (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_run_model_asset_id FOREIGN KEY(model_asset_id) REFERENCES asset (id) ON DELETE RESTRICT, 
	CONSTRAINT uq_run_experiment_id_ordinal UNIQUE (experiment_id, ordinal), 
	CONSTRAINT uq_run_uuid UNIQUE (uuid)
);
INSERT INTO "run" VALUES(1,'00000000-0000-4000-8000-000000000902',1,1,9007199254740993,'{"cores": 2}','[{"epoch": 1, "loss": 0.69}]',6,'2026-03-29 01:13:20.999999','2026-03-29 01:14:09.999999');
CREATE TABLE run_execution (
	run_id INTEGER NOT NULL, 
	dataset_id INTEGER NOT NULL, 
	execution JSON NOT NULL, 
	selected_step INTEGER NOT NULL, 
	validation_history JSON NOT NULL, 
	CONSTRAINT pk_run_execution PRIMARY KEY (run_id), 
	CONSTRAINT fk_run_execution_run_id FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_run_execution_dataset_id FOREIGN KEY(dataset_id) REFERENCES dataset (id) ON DELETE RESTRICT
);
INSERT INTO "run_execution" VALUES(1,1,'{"device": "cpu", "precision": "bfloat16", "threads": 1}',120,'[[60, 0.61, 0.7], [120, 0.4, 0.9]]');
CREATE TABLE run_predictions (
	run_id INTEGER NOT NULL, 
	evaluation VARCHAR NOT NULL, 
	predictions_asset_id INTEGER NOT NULL, 
	CONSTRAINT pk_run_predictions PRIMARY KEY (run_id, evaluation), 
	CONSTRAINT fk_run_predictions_run_id FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_run_predictions_predictions_asset_id FOREIGN KEY(predictions_asset_id) REFERENCES asset (id) ON DELETE RESTRICT
);
INSERT INTO "run_predictions" VALUES(1,'clean',1);
CREATE TABLE saliency_map (
	id INTEGER NOT NULL, 
	run_id INTEGER NOT NULL, 
	camera_id INTEGER NOT NULL, 
	method VARCHAR NOT NULL, 
	evaluation VARCHAR NOT NULL, 
	class_name VARCHAR NOT NULL, 
	images INTEGER NOT NULL, 
	map_asset_id INTEGER NOT NULL, 
	measures JSON NOT NULL, 
	CONSTRAINT pk_saliency_map PRIMARY KEY (id), 
	CONSTRAINT fk_saliency_map_camera_id FOREIGN KEY(camera_id) REFERENCES camera (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_saliency_map_map_asset_id FOREIGN KEY(map_asset_id) REFERENCES asset (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_saliency_map_run_id FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE RESTRICT, 
	CONSTRAINT uq_saliency_map_run_id_camera_id_method_evaluation_class_name UNIQUE (run_id, camera_id, method, evaluation, class_name)
);
INSERT INTO "saliency_map" VALUES(1,1,1,'grad-cam','clean','early',1,7,'{"peak": 2.5}');
CREATE TABLE saved_selection (
	id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	expression VARCHAR NOT NULL, 
	timeslot_scheme VARCHAR, 
	operator VARCHAR, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_saved_selection PRIMARY KEY (id)
);
INSERT INTO "saved_selection" VALUES(1,'darks','kind = dark-field',NULL,'Ana','2026-03-29 02:39:59.999999');
CREATE TABLE scene (
	id INTEGER NOT NULL, 
	fixture_id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	CONSTRAINT pk_scene PRIMARY KEY (id), 
	CONSTRAINT fk_scene_fixture_id FOREIGN KEY(fixture_id) REFERENCES fixture (id) ON DELETE RESTRICT, 
	CONSTRAINT uq_scene_fixture_id_name UNIQUE (fixture_id, name)
);
INSERT INTO "scene" VALUES(1,1,'books');
CREATE TABLE scene_reference (
	id INTEGER NOT NULL, 
	scene_revision_id INTEGER NOT NULL, 
	camera_id INTEGER NOT NULL, 
	shot_id INTEGER NOT NULL, 
	descriptor BLOB NOT NULL, 
	operator VARCHAR, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_scene_reference PRIMARY KEY (id), 
	CONSTRAINT fk_scene_reference_scene_revision_id FOREIGN KEY(scene_revision_id) REFERENCES scene_revision (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_scene_reference_camera_id FOREIGN KEY(camera_id) REFERENCES camera (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_scene_reference_shot_id FOREIGN KEY(shot_id) REFERENCES shot (id) ON DELETE RESTRICT
);
INSERT INTO "scene_reference" VALUES(1,1,1,4,X'000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F202122232425262728292A2B2C2D2E2F303132333435363738393A3B3C3D3E3F404142434445464748494A4B4C4D4E4F505152535455565758595A5B5C5D5E5F606162636465666768696A6B6C6D6E6F707172737475767778797A7B7C7D7E7F808182838485868788898A8B8C8D8E8F909192939495969798999A9B9C9D9E9FA0A1A2A3A4A5A6A7A8A9AAABACADAEAFB0B1B2B3B4B5B6B7B8B9BABBBCBDBEBFC0C1C2C3C4C5C6C7C8C9CACBCCCDCECFD0D1D2D3D4D5D6D7D8D9DADBDCDDDEDFE0E1E2E3E4E5E6E7E8E9EAEBECEDEEEFF0F1F2F3F4F5F6F7F8F9FAFBFCFDFEFF',NULL,'2026-03-29 01:04:59.999999');
CREATE TABLE scene_revision (
	id INTEGER NOT NULL, 
	scene_id INTEGER NOT NULL, 
	revision INTEGER NOT NULL, 
	fixture_revision_id INTEGER NOT NULL, 
	background VARCHAR NOT NULL, 
	foreground VARCHAR NOT NULL, 
	illumination VARCHAR NOT NULL, 
	content_sha256 VARCHAR NOT NULL, 
	CONSTRAINT pk_scene_revision PRIMARY KEY (id), 
	CONSTRAINT fk_scene_revision_fixture_revision_id FOREIGN KEY(fixture_revision_id) REFERENCES fixture_revision (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_scene_revision_scene_id FOREIGN KEY(scene_id) REFERENCES scene (id) ON DELETE RESTRICT, 
	CONSTRAINT uq_scene_revision_scene_id_revision UNIQUE (scene_id, revision)
);
INSERT INTO "scene_revision" VALUES(1,1,1,1,'grey card','two books','lamp','0000000000000000000000000000000000000000000000000000000000000066');
CREATE TABLE schedule (
	id INTEGER NOT NULL, 
	uuid VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	fixture_id INTEGER NOT NULL, 
	recipe_id INTEGER NOT NULL, 
	description JSON NOT NULL, 
	operator VARCHAR, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_schedule PRIMARY KEY (id), 
	CONSTRAINT fk_schedule_fixture_id FOREIGN KEY(fixture_id) REFERENCES fixture (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_schedule_recipe_id FOREIGN KEY(recipe_id) REFERENCES recipe (id) ON DELETE RESTRICT, 
	CONSTRAINT uq_schedule_name UNIQUE (name), 
	CONSTRAINT uq_schedule_uuid UNIQUE (uuid)
);
INSERT INTO "schedule" VALUES(1,'00000000-0000-4000-8000-000000000904','weekly',1,1,'{"rule": "FREQ=WEEKLY", "zone": "Europe/Vienna"}','Ana','2026-03-29 00:59:59.999999');
CREATE TABLE schedule_event (
	id INTEGER NOT NULL, 
	schedule_id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	at DATETIME NOT NULL, 
	operator VARCHAR, 
	reason VARCHAR, 
	CONSTRAINT pk_schedule_event PRIMARY KEY (id), 
	CONSTRAINT ck_schedule_event_name CHECK (name in ('added', 'paused', 'resumed', 'retired')), 
	CONSTRAINT fk_schedule_event_schedule_id FOREIGN KEY(schedule_id) REFERENCES schedule (id) ON DELETE RESTRICT
);
INSERT INTO "schedule_event" VALUES(1,1,'added','2026-03-29 00:59:59.999999','Ana',NULL);
CREATE TABLE schedule_expansion (
	schedule_id INTEGER NOT NULL, 
	expanded_until DATETIME NOT NULL, 
	CONSTRAINT pk_schedule_expansion PRIMARY KEY (schedule_id), 
	CONSTRAINT fk_schedule_expansion_schedule_id FOREIGN KEY(schedule_id) REFERENCES schedule (id) ON DELETE RESTRICT
);
INSERT INTO "schedule_expansion" VALUES(1,'2026-03-30 00:59:59.999999');
CREATE TABLE session (
	id INTEGER NOT NULL, 
	uuid VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	fixture_revision_id INTEGER, 
	recipe_id INTEGER, 
	operator VARCHAR, 
	clock_source VARCHAR NOT NULL, 
	started_at DATETIME NOT NULL, 
	note VARCHAR, 
	CONSTRAINT pk_session PRIMARY KEY (id), 
	CONSTRAINT ck_session_clock_source CHECK (clock_source in ('host', 'simulated')), 
	CONSTRAINT ck_session_kind CHECK (kind in ('capture', 'import')), 
	CONSTRAINT fk_session_fixture_revision_id FOREIGN KEY(fixture_revision_id) REFERENCES fixture_revision (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_session_recipe_id FOREIGN KEY(recipe_id) REFERENCES recipe (id) ON DELETE RESTRICT, 
	CONSTRAINT uq_session_uuid UNIQUE (uuid)
);
INSERT INTO "session" VALUES(1,'00000000-0000-4000-8000-000000001001','capture',1,1,'Ana','host','2026-03-29 00:59:59.999999',NULL);
INSERT INTO "session" VALUES(2,'00000000-0000-4000-8000-000000001002','import',NULL,NULL,NULL,'host','2026-03-29 01:59:59.999999','it''s from the old disk; don''t ask');
CREATE TABLE session_event (
	id INTEGER NOT NULL, 
	session_id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	at DATETIME NOT NULL, 
	detail JSON, 
	CONSTRAINT pk_session_event PRIMARY KEY (id), 
	CONSTRAINT ck_session_event_name CHECK (name in ('started', 'camera-opened', 'camera-closed', 'camera-failed', 'camera-lost', 'clock-jumped', 'scene-changed', 'paused', 'resumed', 'completed', 'partial', 'aborted', 'failed')), 
	CONSTRAINT fk_session_event_session_id FOREIGN KEY(session_id) REFERENCES session (id) ON DELETE RESTRICT
);
INSERT INTO "session_event" VALUES(1,1,'started','2026-03-29 00:59:59.999999',NULL);
INSERT INTO "session_event" VALUES(2,1,'scene-changed','2026-03-29 01:00:00.999999','{"scene": "books"}');
INSERT INTO "session_event" VALUES(3,1,'completed','2026-03-29 01:00:49.999999',NULL);
INSERT INTO "session_event" VALUES(9,2,'partial','2026-03-29 02:01:39.999999','{"refused": 1}');
INSERT INTO "session_event" VALUES(10,1,'camera-lost','2026-03-29 01:00:19.999999',NULL);
CREATE TABLE session_request (
	id INTEGER NOT NULL, 
	session_id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	operator VARCHAR, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_session_request PRIMARY KEY (id), 
	CONSTRAINT ck_session_request_name CHECK (name in ('pause', 'resume', 'finish', 'abort')), 
	CONSTRAINT fk_session_request_session_id FOREIGN KEY(session_id) REFERENCES session (id) ON DELETE RESTRICT
);
INSERT INTO "session_request" VALUES(1,1,'pause','Ana','2026-03-29 01:00:09.999999');
CREATE TABLE shot (
	id INTEGER NOT NULL, 
	uuid VARCHAR NOT NULL, 
	session_id INTEGER NOT NULL, 
	camera_id INTEGER, 
	sequence INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	kind VARCHAR NOT NULL, 
	scene_revision_id INTEGER, 
	triggered_at DATETIME, 
	time_source VARCHAR, 
	exposure VARCHAR, 
	exposure_s DOUBLE, 
	iso INTEGER, 
	f_number DOUBLE, 
	image_quality VARCHAR, 
	warm_up BOOLEAN NOT NULL, since_opened_s DOUBLE, since_last_shot_s DOUBLE, time_uncertainty_s DOUBLE, 
	CONSTRAINT pk_shot PRIMARY KEY (id), 
	CONSTRAINT ck_shot_kind CHECK (kind in ('dark-field', 'flat-field', 'fixed-background', 'natural')), 
	CONSTRAINT ck_shot_time_source CHECK (time_source is null or time_source in ('civil', 'exif', 'declared')), 
	CONSTRAINT fk_shot_camera_id FOREIGN KEY(camera_id) REFERENCES camera (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_shot_scene_revision_id FOREIGN KEY(scene_revision_id) REFERENCES scene_revision (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_shot_session_id FOREIGN KEY(session_id) REFERENCES session (id) ON DELETE RESTRICT, 
	CONSTRAINT uq_shot_session_id_camera_id_sequence_attempt UNIQUE (session_id, camera_id, sequence, attempt), 
	CONSTRAINT uq_shot_uuid UNIQUE (uuid)
);
INSERT INTO "shot" VALUES(1,'00000000-0000-4000-8000-000000000001',1,1,1,1,'dark-field',NULL,'2026-03-29 01:00:00.999999','civil','1/30',3.33333333333333328707e-02,800,5.6,'raw+jpeg',0,NULL,NULL,NULL);
INSERT INTO "shot" VALUES(2,'00000000-0000-4000-8000-000000000002',1,1,2,1,'dark-field',NULL,'2026-03-29 01:00:01.999999','civil','1/30',3.33333333333333328707e-02,800,5.6,'raw+jpeg',0,NULL,NULL,NULL);
INSERT INTO "shot" VALUES(3,'00000000-0000-4000-8000-000000000003',1,1,3,1,'fixed-background',1,'2026-03-29 01:00:02.999999','civil','1/30',3.33333333333333328707e-02,800,5.6,'raw+jpeg',0,NULL,NULL,NULL);
INSERT INTO "shot" VALUES(4,'00000000-0000-4000-8000-000000000004',1,1,3,2,'fixed-background',1,'2026-03-29 01:00:03.999999','civil','1/30',3.33333333333333328707e-02,800,5.6,'raw+jpeg',0,NULL,NULL,NULL);
INSERT INTO "shot" VALUES(5,'00000000-0000-4000-8000-000000000005',1,7,1,1,'flat-field',NULL,'2026-03-29 01:00:04.999999','civil','1/30',3.33333333333333328707e-02,800,5.6,'raw+jpeg',1,NULL,NULL,NULL);
INSERT INTO "shot" VALUES(6,'00000000-0000-4000-8000-000000000006',1,7,2,1,'dark-field',NULL,NULL,NULL,'1/30',3.33333333333333328707e-02,800,5.6,'raw+jpeg',0,NULL,NULL,NULL);
INSERT INTO "shot" VALUES(20,'00000000-0000-4000-8000-000000000020',2,NULL,1,1,'natural',NULL,NULL,'exif',NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL);
INSERT INTO "shot" VALUES(30,'00000000-0000-4000-8000-000000000030',1,1,9,1,'dark-field',NULL,'2026-03-29 01:00:29.999999','civil','1/30',3.33333333333333328707e-02,800,5.6,'raw+jpeg',0,3600.25,4.5,NULL);
INSERT INTO "shot" VALUES(40,'00000000-0000-4000-8000-000000000040',1,7,30,1,'dark-field',NULL,'2026-03-29 01:00:39.999999','civil','1/30',3.33333333333333328707e-02,800,5.6,'raw+jpeg',0,NULL,NULL,43200.0);
CREATE TABLE shot_event (
	id INTEGER NOT NULL, 
	shot_id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	at DATETIME NOT NULL, 
	detail JSON, 
	CONSTRAINT pk_shot_event PRIMARY KEY (id), 
	CONSTRAINT ck_shot_event_name CHECK (name in ('planned', 'triggered', 'downloaded', 'verified', 'registered', 'failed')), 
	CONSTRAINT fk_shot_event_shot_id FOREIGN KEY(shot_id) REFERENCES shot (id) ON DELETE RESTRICT
);
INSERT INTO "shot_event" VALUES(1,1,'planned','2026-03-29 01:00:00.999999',NULL);
INSERT INTO "shot_event" VALUES(2,2,'planned','2026-03-29 01:00:01.999999',NULL);
INSERT INTO "shot_event" VALUES(3,5,'planned','2026-03-29 01:00:02.999999',NULL);
INSERT INTO "shot_event" VALUES(4,1,'triggered','2026-03-29 01:00:03.999999',NULL);
INSERT INTO "shot_event" VALUES(5,2,'triggered','2026-03-29 01:00:04.999999',NULL);
INSERT INTO "shot_event" VALUES(6,1,'downloaded','2026-03-29 01:00:05.999999',NULL);
INSERT INTO "shot_event" VALUES(7,2,'failed','2026-03-29 01:00:06.999999',NULL);
INSERT INTO "shot_event" VALUES(8,1,'verified','2026-03-29 01:00:07.999999',NULL);
INSERT INTO "shot_event" VALUES(9,1,'registered','2026-03-29 01:00:08.999999',NULL);
INSERT INTO "shot_event" VALUES(10,2,'downloaded','2026-03-29 01:00:09.999999',NULL);
INSERT INTO "shot_event" VALUES(11,2,'verified','2026-03-29 01:00:10.999999',NULL);
INSERT INTO "shot_event" VALUES(12,2,'registered','2026-03-29 01:00:11.999999',NULL);
INSERT INTO "shot_event" VALUES(13,3,'planned','2026-03-29 01:00:12.999999',NULL);
INSERT INTO "shot_event" VALUES(14,3,'triggered','2026-03-29 01:00:13.999999',NULL);
INSERT INTO "shot_event" VALUES(15,3,'failed','2026-03-29 01:00:14.999999',NULL);
INSERT INTO "shot_event" VALUES(16,4,'planned','2026-03-29 01:00:15.999999',NULL);
INSERT INTO "shot_event" VALUES(17,4,'triggered','2026-03-29 01:00:16.999999',NULL);
INSERT INTO "shot_event" VALUES(18,4,'verified','2026-03-29 01:00:17.999999',NULL);
INSERT INTO "shot_event" VALUES(19,5,'triggered','2026-03-29 01:00:18.999999',NULL);
INSERT INTO "shot_event" VALUES(20,6,'planned','2026-03-29 01:00:19.999999',NULL);
INSERT INTO "shot_event" VALUES(21,5,'failed','2026-03-29 01:00:20.999999',NULL);
CREATE TABLE shot_settings (
	id INTEGER NOT NULL, 
	shot_id INTEGER NOT NULL, 
	source VARCHAR NOT NULL, 
	exposure_s DOUBLE, 
	iso INTEGER, 
	f_number DOUBLE, 
	image_quality VARCHAR, 
	temperature_c DOUBLE, 
	taken_at DATETIME, 
	taken_at_text VARCHAR, 
	firmware VARCHAR, 
	long_exposure_noise_reduction BOOLEAN, 
	raw_values JSON, 
	CONSTRAINT pk_shot_settings PRIMARY KEY (id), 
	CONSTRAINT ck_shot_settings_source CHECK (source in ('read-back', 'exif')), 
	CONSTRAINT fk_shot_settings_shot_id FOREIGN KEY(shot_id) REFERENCES shot (id) ON DELETE RESTRICT, 
	CONSTRAINT uq_shot_settings_shot_id_source UNIQUE (shot_id, source)
);
INSERT INTO "shot_settings" VALUES(1,1,'exif',0.03333,800,5.6,'raw',31.5,'2026-03-29 01:00:00.499999','2026:03:29 02:00:00','1.04',0,'{"iso": "800"}');
INSERT INTO "shot_settings" VALUES(2,1,'read-back',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE shot_status (
	shot_id INTEGER NOT NULL, 
	triggered_at DATETIME, 
	state VARCHAR, 
	state_event_id INTEGER, 
	verdict VARCHAR, 
	verdict_id INTEGER, 
	CONSTRAINT pk_shot_status PRIMARY KEY (shot_id), 
	CONSTRAINT fk_shot_status_shot_id FOREIGN KEY(shot_id) REFERENCES shot (id) ON DELETE RESTRICT
);
INSERT INTO "shot_status" VALUES(1,'2026-03-29 01:00:00.999999','registered',9,'accepted',5);
INSERT INTO "shot_status" VALUES(2,'2026-03-29 01:00:01.999999','registered',12,'accepted',2);
INSERT INTO "shot_status" VALUES(3,'2026-03-29 01:00:02.999999','failed',15,NULL,NULL);
INSERT INTO "shot_status" VALUES(4,'2026-03-29 01:00:03.999999','verified',18,NULL,NULL);
INSERT INTO "shot_status" VALUES(5,'2026-03-29 01:00:04.999999','failed',21,NULL,NULL);
INSERT INTO "shot_status" VALUES(6,NULL,'planned',20,NULL,NULL);
INSERT INTO "shot_status" VALUES(20,NULL,NULL,NULL,'quarantined',4);
INSERT INTO "shot_status" VALUES(30,'2026-03-29 01:00:29.999999',NULL,NULL,NULL,NULL);
INSERT INTO "shot_status" VALUES(40,'2026-03-29 01:00:39.999999',NULL,NULL,NULL,NULL);
CREATE TABLE staged_scene (
	fixture_revision_id INTEGER NOT NULL, 
	scene_revision_id INTEGER NOT NULL, 
	CONSTRAINT pk_staged_scene PRIMARY KEY (fixture_revision_id, scene_revision_id), 
	CONSTRAINT fk_staged_scene_fixture_revision_id FOREIGN KEY(fixture_revision_id) REFERENCES fixture_revision (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_staged_scene_scene_revision_id FOREIGN KEY(scene_revision_id) REFERENCES scene_revision (id) ON DELETE RESTRICT
);
INSERT INTO "staged_scene" VALUES(1,1);
CREATE TABLE store (
	id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_store PRIMARY KEY (id), 
	CONSTRAINT uq_store_name UNIQUE (name)
);
INSERT INTO "store" VALUES(1,'local','local','2026-03-29 00:59:59.999999');
CREATE TABLE timeslot (
	id INTEGER NOT NULL, 
	scheme_id INTEGER NOT NULL, 
	ordinal INTEGER NOT NULL, 
	starts_at DATETIME NOT NULL, 
	ends_at DATETIME NOT NULL, 
	CONSTRAINT pk_timeslot PRIMARY KEY (id), 
	CONSTRAINT ck_timeslot_not_empty CHECK (starts_at < ends_at), 
	CONSTRAINT fk_timeslot_scheme_id FOREIGN KEY(scheme_id) REFERENCES timeslot_scheme (id) ON DELETE RESTRICT, 
	CONSTRAINT uq_timeslot_scheme_id_ordinal UNIQUE (scheme_id, ordinal), 
	CONSTRAINT uq_timeslot_scheme_id_starts_at UNIQUE (scheme_id, starts_at)
);
INSERT INTO "timeslot" VALUES(1,1,1,'2026-01-01 00:00:00.000000','2027-01-01 00:00:00.000000');
CREATE TABLE timeslot_scheme (
	id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	description VARCHAR, 
	created_at DATETIME NOT NULL, zone VARCHAR, 
	CONSTRAINT pk_timeslot_scheme PRIMARY KEY (id), 
	CONSTRAINT uq_timeslot_scheme_name UNIQUE (name)
);
INSERT INTO "timeslot_scheme" VALUES(1,'years',NULL,'2026-03-29 00:59:59.999999',NULL);
INSERT INTO "timeslot_scheme" VALUES(2,'months','by the month','2026-03-29 00:59:59.999999','Europe/Vienna');
CREATE TABLE verdict (
	id INTEGER NOT NULL, 
	shot_id INTEGER NOT NULL, 
	verdict VARCHAR NOT NULL, 
	reason VARCHAR NOT NULL, 
	numbers JSON, 
	author VARCHAR NOT NULL, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_verdict PRIMARY KEY (id), 
	CONSTRAINT ck_verdict_verdict CHECK (verdict in ('accepted', 'quarantined', 'rejected')), 
	CONSTRAINT fk_verdict_shot_id FOREIGN KEY(shot_id) REFERENCES shot (id) ON DELETE RESTRICT
);
INSERT INTO "verdict" VALUES(1,1,'quarantined','light-leak','{"excess_dn": 3.25, "limit_dn": 2}','checks','2026-03-29 01:01:40.999999');
INSERT INTO "verdict" VALUES(2,2,'accepted','light-leak','{"excess_dn": 3.25, "limit_dn": 2}','checks','2026-03-29 01:01:41.999999');
INSERT INTO "verdict" VALUES(3,1,'rejected','looked at it: fine, “café”',NULL,'Ana','2026-03-29 01:01:42.999999');
INSERT INTO "verdict" VALUES(4,20,'quarantined','light-leak','{"excess_dn": 3.25, "limit_dn": 2}','checks','2026-03-29 01:01:43.999999');
INSERT INTO "verdict" VALUES(5,1,'accepted','looked at it: fine, “café”',NULL,'Ana','2026-03-29 00:58:19.999999');
CREATE INDEX ix_recipe_name ON recipe (name);
CREATE INDEX ix_defect_ledger_camera_id ON defect_ledger (camera_id);
CREATE INDEX ix_scene_name ON scene (name);
CREATE INDEX ix_session_started_at ON session (started_at);
CREATE INDEX ix_shot_camera_kind_time ON shot (camera_id, kind, triggered_at, id);
CREATE INDEX ix_shot_scene_camera_time ON shot (scene_revision_id, camera_id, triggered_at);
CREATE INDEX ix_shot_time ON shot (triggered_at, id);
CREATE INDEX ix_asset_shot_id ON asset (shot_id);
CREATE INDEX ix_shot_event_newest ON shot_event (shot_id, id);
CREATE INDEX ix_verdict_newest ON verdict (shot_id, id);
CREATE INDEX ix_dataset_name ON dataset (name);
CREATE INDEX ix_defect_extraction_camera_id ON defect_extraction (camera_id);
CREATE INDEX ix_dataset_item_asset_id ON dataset_item (asset_id);
CREATE INDEX ix_experiment_name ON experiment (name);
CREATE INDEX ix_prediction_run_evaluation ON prediction (run_id, evaluation);
CREATE TRIGGER append_only_asset_update before update on "asset" begin select raise(abort, 'table asset is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_asset_delete before delete on "asset" begin select raise(abort, 'table asset is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_audit_update before update on "audit" begin select raise(abort, 'table audit is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_audit_delete before delete on "audit" begin select raise(abort, 'table audit is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_camera_update before update on "camera" begin select raise(abort, 'table camera is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_camera_delete before delete on "camera" begin select raise(abort, 'table camera is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_dataset_update before update on "dataset" begin select raise(abort, 'table dataset is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_dataset_delete before delete on "dataset" begin select raise(abort, 'table dataset is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_dataset_item_update before update on "dataset_item" begin select raise(abort, 'table dataset_item is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_dataset_item_delete before delete on "dataset_item" begin select raise(abort, 'table dataset_item is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_defect_extraction_update before update on "defect_extraction" begin select raise(abort, 'table defect_extraction is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_defect_extraction_delete before delete on "defect_extraction" begin select raise(abort, 'table defect_extraction is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_defect_ledger_update before update on "defect_ledger" begin select raise(abort, 'table defect_ledger is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_defect_ledger_delete before delete on "defect_ledger" begin select raise(abort, 'table defect_ledger is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_defect_observation_update before update on "defect_observation" begin select raise(abort, 'table defect_observation is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_defect_observation_delete before delete on "defect_observation" begin select raise(abort, 'table defect_observation is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_experiment_update before update on "experiment" begin select raise(abort, 'table experiment is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_experiment_delete before delete on "experiment" begin select raise(abort, 'table experiment is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_fixture_update before update on "fixture" begin select raise(abort, 'table fixture is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_fixture_delete before delete on "fixture" begin select raise(abort, 'table fixture is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_fixture_revision_update before update on "fixture_revision" begin select raise(abort, 'table fixture_revision is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_fixture_revision_delete before delete on "fixture_revision" begin select raise(abort, 'table fixture_revision is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_ledger_defect_update before update on "ledger_defect" begin select raise(abort, 'table ledger_defect is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_ledger_defect_delete before delete on "ledger_defect" begin select raise(abort, 'table ledger_defect is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_mounted_camera_update before update on "mounted_camera" begin select raise(abort, 'table mounted_camera is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_mounted_camera_delete before delete on "mounted_camera" begin select raise(abort, 'table mounted_camera is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_prediction_update before update on "prediction" begin select raise(abort, 'table prediction is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_prediction_delete before delete on "prediction" begin select raise(abort, 'table prediction is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_recipe_update before update on "recipe" begin select raise(abort, 'table recipe is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_recipe_delete before delete on "recipe" begin select raise(abort, 'table recipe is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_run_update before update on "run" begin select raise(abort, 'table run is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_run_delete before delete on "run" begin select raise(abort, 'table run is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_saliency_map_update before update on "saliency_map" begin select raise(abort, 'table saliency_map is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_saliency_map_delete before delete on "saliency_map" begin select raise(abort, 'table saliency_map is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_scene_update before update on "scene" begin select raise(abort, 'table scene is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_scene_delete before delete on "scene" begin select raise(abort, 'table scene is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_scene_revision_update before update on "scene_revision" begin select raise(abort, 'table scene_revision is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_scene_revision_delete before delete on "scene_revision" begin select raise(abort, 'table scene_revision is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_session_update before update on "session" begin select raise(abort, 'table session is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_session_delete before delete on "session" begin select raise(abort, 'table session is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_shot_update before update on "shot" begin select raise(abort, 'table shot is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_shot_delete before delete on "shot" begin select raise(abort, 'table shot is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_shot_event_update before update on "shot_event" begin select raise(abort, 'table shot_event is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_shot_event_delete before delete on "shot_event" begin select raise(abort, 'table shot_event is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_shot_settings_update before update on "shot_settings" begin select raise(abort, 'table shot_settings is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_shot_settings_delete before delete on "shot_settings" begin select raise(abort, 'table shot_settings is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_staged_scene_update before update on "staged_scene" begin select raise(abort, 'table staged_scene is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_staged_scene_delete before delete on "staged_scene" begin select raise(abort, 'table staged_scene is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_store_update before update on "store" begin select raise(abort, 'table store is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_store_delete before delete on "store" begin select raise(abort, 'table store is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_timeslot_update before update on "timeslot" begin select raise(abort, 'table timeslot is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_timeslot_delete before delete on "timeslot" begin select raise(abort, 'table timeslot is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_timeslot_scheme_update before update on "timeslot_scheme" begin select raise(abort, 'table timeslot_scheme is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_timeslot_scheme_delete before delete on "timeslot_scheme" begin select raise(abort, 'table timeslot_scheme is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_verdict_update before update on "verdict" begin select raise(abort, 'table verdict is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_verdict_delete before delete on "verdict" begin select raise(abort, 'table verdict is append-only: a correction is a new row'); end;
CREATE INDEX ix_session_event_newest ON session_event (session_id, id);
CREATE TRIGGER append_only_session_event_update before update on "session_event" begin select raise(abort, 'table session_event is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_session_event_delete before delete on "session_event" begin select raise(abort, 'table session_event is append-only: a correction is a new row'); end;
CREATE INDEX ix_scene_reference_newest ON scene_reference (scene_revision_id, camera_id, id);
CREATE INDEX ix_session_request_newest ON session_request (session_id, id);
CREATE INDEX ix_operator_prompt_session_id ON operator_prompt (session_id);
CREATE TRIGGER append_only_scene_reference_update before update on "scene_reference" begin select raise(abort, 'table scene_reference is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_scene_reference_delete before delete on "scene_reference" begin select raise(abort, 'table scene_reference is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_session_request_update before update on "session_request" begin select raise(abort, 'table session_request is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_session_request_delete before delete on "session_request" begin select raise(abort, 'table session_request is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_operator_prompt_update before update on "operator_prompt" begin select raise(abort, 'table operator_prompt is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_operator_prompt_delete before delete on "operator_prompt" begin select raise(abort, 'table operator_prompt is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_operator_answer_update before update on "operator_answer" begin select raise(abort, 'table operator_answer is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_operator_answer_delete before delete on "operator_answer" begin select raise(abort, 'table operator_answer is append-only: a correction is a new row'); end;
CREATE INDEX ix_schedule_event_newest ON schedule_event (schedule_id, id);
CREATE INDEX ix_occurrence_due ON occurrence (due_at, id);
CREATE INDEX ix_occurrence_state_start ON occurrence (state, starts_at);
CREATE INDEX ix_occurrence_event_newest ON occurrence_event (occurrence_id, id);
CREATE INDEX ix_occurrence_session_occurrence_id ON occurrence_session (occurrence_id);
CREATE INDEX ix_job_state_due ON job (state, due_at);
CREATE INDEX ix_job_event_newest ON job_event (job_id, id);
CREATE INDEX ix_notification_state_next ON notification (state, next_attempt_at);
CREATE TRIGGER append_only_schedule_update before update on "schedule" begin select raise(abort, 'table schedule is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_schedule_delete before delete on "schedule" begin select raise(abort, 'table schedule is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_schedule_event_update before update on "schedule_event" begin select raise(abort, 'table schedule_event is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_schedule_event_delete before delete on "schedule_event" begin select raise(abort, 'table schedule_event is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_occurrence_event_update before update on "occurrence_event" begin select raise(abort, 'table occurrence_event is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_occurrence_event_delete before delete on "occurrence_event" begin select raise(abort, 'table occurrence_event is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_occurrence_session_update before update on "occurrence_session" begin select raise(abort, 'table occurrence_session is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_occurrence_session_delete before delete on "occurrence_session" begin select raise(abort, 'table occurrence_session is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_job_event_update before update on "job_event" begin select raise(abort, 'table job_event is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_job_event_delete before delete on "job_event" begin select raise(abort, 'table job_event is append-only: a correction is a new row'); end;
CREATE INDEX ix_lease_fencing_token ON lease (fencing_token);
CREATE INDEX ix_shot_session_time ON shot (session_id, triggered_at, id);
CREATE INDEX ix_shot_camera_time ON shot (camera_id, triggered_at, id);
CREATE INDEX ix_shot_kind_time ON shot (kind, triggered_at, id);
CREATE INDEX ix_shot_scene_time ON shot (scene_revision_id, triggered_at, id);
CREATE INDEX ix_shot_exposure_time ON shot (exposure_s, triggered_at, id);
CREATE INDEX ix_shot_iso_time ON shot (iso, triggered_at, id);
CREATE INDEX ix_asset_location_unverified ON asset_location (store_id, verified_at, asset_id);
CREATE INDEX ix_asset_location_problem ON asset_location (store_id, asset_id) WHERE problem is not null;
CREATE INDEX ix_shot_status_state_time ON shot_status (state, triggered_at, shot_id);
CREATE INDEX ix_shot_status_verdict_time ON shot_status (verdict, triggered_at, shot_id);
CREATE INDEX ix_clock_probe_session_id ON clock_probe (session_id);
CREATE INDEX ix_clock_probe_camera_time ON clock_probe (camera_id, at, id);
CREATE INDEX ix_asset_reference_session_id ON asset_reference (session_id);
CREATE INDEX ix_asset_reference_folder_path ON asset_reference (folder, path);
CREATE INDEX ix_frame_measures_temperature_c ON frame_measures (temperature_c);
CREATE INDEX ix_saved_selection_newest ON saved_selection (name, id);
CREATE TRIGGER append_only_asset_reference_update before update on "asset_reference" begin select raise(abort, 'table asset_reference is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_asset_reference_delete before delete on "asset_reference" begin select raise(abort, 'table asset_reference is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_clock_probe_update before update on "clock_probe" begin select raise(abort, 'table clock_probe is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_clock_probe_delete before delete on "clock_probe" begin select raise(abort, 'table clock_probe is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_frame_measures_update before update on "frame_measures" begin select raise(abort, 'table frame_measures is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_frame_measures_delete before delete on "frame_measures" begin select raise(abort, 'table frame_measures is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_saved_selection_update before update on "saved_selection" begin select raise(abort, 'table saved_selection is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_saved_selection_delete before delete on "saved_selection" begin select raise(abort, 'table saved_selection is append-only: a correction is a new row'); end;
CREATE TRIGGER shot_status_from_shot after insert on shot begin insert into shot_status (shot_id, triggered_at) values (new.id, new.triggered_at) on conflict (shot_id) do nothing; end;
CREATE TRIGGER shot_status_from_shot_event after insert on shot_event begin update shot_status set state = new.name, state_event_id = new.id where shot_id = new.shot_id and (state_event_id is null or state_event_id < new.id); end;
CREATE TRIGGER shot_status_from_verdict after insert on verdict begin update shot_status set verdict = new.verdict, verdict_id = new.id where shot_id = new.shot_id and (verdict_id is null or verdict_id < new.id); end;
CREATE INDEX ix_dataset_audit_newest ON dataset_audit (manifest_version, id);
CREATE INDEX ix_dataset_freeze_audit_id ON dataset_freeze (audit_id);
CREATE INDEX ix_dataset_freeze_family ON dataset_freeze (family, fold);
CREATE TRIGGER append_only_perceptual_hash_update before update on "perceptual_hash" begin select raise(abort, 'table perceptual_hash is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_perceptual_hash_delete before delete on "perceptual_hash" begin select raise(abort, 'table perceptual_hash is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_dataset_audit_update before update on "dataset_audit" begin select raise(abort, 'table dataset_audit is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_dataset_audit_delete before delete on "dataset_audit" begin select raise(abort, 'table dataset_audit is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_dataset_freeze_update before update on "dataset_freeze" begin select raise(abort, 'table dataset_freeze is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_dataset_freeze_delete before delete on "dataset_freeze" begin select raise(abort, 'table dataset_freeze is append-only: a correction is a new row'); end;
CREATE INDEX ix_flat_extraction_camera_id ON flat_extraction (camera_id);
CREATE INDEX ix_camera_fingerprint_camera_id ON camera_fingerprint (camera_id);
CREATE TRIGGER append_only_camera_fingerprint_update before update on "camera_fingerprint" begin select raise(abort, 'table camera_fingerprint is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_camera_fingerprint_delete before delete on "camera_fingerprint" begin select raise(abort, 'table camera_fingerprint is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_dust_spot_update before update on "dust_spot" begin select raise(abort, 'table dust_spot is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_dust_spot_delete before delete on "dust_spot" begin select raise(abort, 'table dust_spot is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_flat_extraction_update before update on "flat_extraction" begin select raise(abort, 'table flat_extraction is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_flat_extraction_delete before delete on "flat_extraction" begin select raise(abort, 'table flat_extraction is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_flat_observation_update before update on "flat_observation" begin select raise(abort, 'table flat_observation is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_flat_observation_delete before delete on "flat_observation" begin select raise(abort, 'table flat_observation is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_ledger_history_update before update on "ledger_history" begin select raise(abort, 'table ledger_history is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_ledger_history_delete before delete on "ledger_history" begin select raise(abort, 'table ledger_history is append-only: a correction is a new row'); end;
CREATE INDEX ix_run_execution_dataset_id ON run_execution (dataset_id);
CREATE INDEX ix_model_event_newest ON model_event (model_id, id);
CREATE INDEX ix_retraining_event_newest ON retraining_event (retraining_id, id);
CREATE TRIGGER append_only_model_event_update before update on "model_event" begin select raise(abort, 'table model_event is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_model_event_delete before delete on "model_event" begin select raise(abort, 'table model_event is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_registered_model_update before update on "registered_model" begin select raise(abort, 'table registered_model is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_registered_model_delete before delete on "registered_model" begin select raise(abort, 'table registered_model is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_retraining_update before update on "retraining" begin select raise(abort, 'table retraining is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_retraining_delete before delete on "retraining" begin select raise(abort, 'table retraining is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_retraining_event_update before update on "retraining_event" begin select raise(abort, 'table retraining_event is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_retraining_event_delete before delete on "retraining_event" begin select raise(abort, 'table retraining_event is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_run_execution_update before update on "run_execution" begin select raise(abort, 'table run_execution is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_run_execution_delete before delete on "run_execution" begin select raise(abort, 'table run_execution is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_run_predictions_update before update on "run_predictions" begin select raise(abort, 'table run_predictions is append-only: a correction is a new row'); end;
CREATE TRIGGER append_only_run_predictions_delete before delete on "run_predictions" begin select raise(abort, 'table run_predictions is append-only: a correction is a new row'); end;
COMMIT;
