SELECT
  FARM_FINGERPRINT(TO_JSON_STRING(STRUCT(`t0`.`id` AS `c0`, `t0`.`number` AS `c1`))) AS `hash`
FROM `metaxy_ids` AS `t0`;

SELECT
  `t0`.`feature`,
  `t0`.`feature_version`,
  `t0`.`definition_hash`,
  `t0`.`project`,
  `t0`.`recorded_at`
FROM `metaxy__definitions` AS `t0`
WHERE
  `t0`.`feature` IN ('video', 'parts')
ORDER BY
  `t0`.`recorded_at` ASC NULLS LAST;

SELECT
  BIT_XOR(
    FARM_FINGERPRINT(
      TO_JSON_STRING(
        STRUCT(
          `t0`.`id` AS `c0`,
          `t0`.`metaxy_provenance__default` AS `c1`,
          '5b925819083b249c' AS `kind`
        )
      )
    )
  ) AS `checksum`
FROM `metaxy_written` AS `t0`;

SELECT
  *
FROM `metaxy__commits` AS `t0`
WHERE
  `t0`.`feature` IN ('parts');

SELECT
  `t0`.`id`,
  `t0`.`metaxy_provenance__default`,
  2 AS `metaxy_commit`,
  FALSE AS `metaxy_deleted`
FROM `metaxy_parents` AS `t0`;

SELECT
  BIT_XOR(
    FARM_FINGERPRINT(
      TO_JSON_STRING(
        STRUCT(
          `t0`.`id` AS `c0`,
          `t0`.`metaxy_provenance__default` AS `c1`,
          '5b925819083b249c' AS `kind`
        )
      )
    )
  ) AS `checksum`
FROM `metaxy_parents` AS `t0`;

SELECT
  `t0`.`id`,
  `t0`.`etag`,
  `t0`.`size`,
  `t0`.`number`,
  `t0`.`metaxy_provenance__default`,
  CAST(NULL AS INT64) AS `metaxy_data_version__default`,
  `t0`.`metaxy_commit`,
  FALSE AS `metaxy_deleted`
FROM `metaxy_written` AS `t0`;
