SELECT
  `t1`.*
  EXCEPT (`metaxy_status`)
FROM (
  SELECT
    *
  FROM `metaxy_kept_1` AS `t0`
  WHERE
    `t0`.`metaxy_status` IN (0, 1)
) AS `t1`;

SELECT
  *
FROM `metaxy__commits__staged`;

SELECT
  *
FROM `metaxy__definitions__staged`;

SELECT
  *
FROM `metaxy__snapshots__staged`;

SELECT
  *
FROM `metaxy__migrations__staged`;

SELECT
  *
FROM `metaxy__settled__staged`;

SELECT
  *
FROM `metaxy__store__staged`;

SELECT
  *
FROM `metaxy__store` AS `t0`;

SELECT
  MAX(`t0`.`metaxy_commit`) AS `last`
FROM `metaxy__commits` AS `t0`;

SELECT
  `t0`.`feature`,
  `t0`.`feature_version`,
  `t0`.`definition_hash`,
  `t0`.`project`,
  `t0`.`recorded_at`
FROM `metaxy__definitions` AS `t0`
WHERE
  `t0`.`feature` IN ('video')
ORDER BY
  `t0`.`recorded_at` ASC NULLS LAST;

SELECT
  `t0`.`id`,
  `t0`.`etag`,
  `t0`.`size`,
  `t0`.`metaxy_provenance__audio`,
  CAST(NULL AS INT64) AS `metaxy_data_version__audio`,
  `t0`.`metaxy_commit`,
  FALSE AS `metaxy_deleted`
FROM `metaxy_written` AS `t0`;
