SELECT
  FARM_FINGERPRINT(TO_JSON_STRING(STRUCT(`t0`.`id` AS `c0`))) AS `hash`
FROM `metaxy_ids` AS `t0`;

SELECT
  *
FROM (
  SELECT
    COALESCE(`t5`.`id`, `t3`.`id`) AS `id`,
    `t5`.`etag`,
    `t5`.`size`,
    `t5`.`metaxy_provenance__audio`,
    NOT (
      `t5`.`metaxy_provenance__audio` IS NOT DISTINCT FROM `t3`.`metaxy_provenance__audio__stored`
    ) AS `metaxy_changed__audio`,
    CASE
      WHEN `t5`.`metaxy_ready` IS NULL
      THEN 2
      WHEN NOT (
        `t5`.`metaxy_ready`
      )
      THEN 3
      WHEN `t3`.`metaxy_stored` IS NULL
      THEN 0
      WHEN NOT (
        `t5`.`metaxy_provenance__audio` IS NOT DISTINCT FROM `t3`.`metaxy_provenance__audio__stored`
      )
      OR `t3`.`metaxy_forced`
      THEN 1
      ELSE 4
    END AS `metaxy_status`
  FROM (
    SELECT
      `t0`.`id`,
      `t0`.`etag`,
      `t0`.`size`,
      CAST(REPLACE(
        REPLACE(
          REPLACE(
            REPLACE(
              REPLACE(
                REPLACE(
                  REPLACE(
                    REPLACE(
                      REGEXP_REPLACE(
                        TO_HEX(MD5(CONCAT('v1|audio|1|s|', `t0`.`metaxy_sample__audio`))),
                        '^(..)(..)(..)(..)(..)(..)(..)(..).*$',
                        '0x\\8\\7\\6\\5\\4\\3\\2\\1'
                      ),
                      '0x8',
                      '0x0'
                    ),
                    '0x9',
                    '0x1'
                  ),
                  '0xa',
                  '0x2'
                ),
                '0xb',
                '0x3'
              ),
              '0xc',
              '0x4'
            ),
            '0xd',
            '0x5'
          ),
          '0xe',
          '0x6'
        ),
        '0xf',
        '0x7'
      ) AS INT64) AS `metaxy_provenance__audio`,
      TRUE AS `metaxy_ready`
    FROM `metaxy_samples` AS `t0`
  ) AS `t5`
  FULL OUTER JOIN (
    SELECT
      `t1`.`id`,
      CAST(NULL AS INT64) AS `metaxy_provenance__audio__stored`,
      TRUE AS `metaxy_stored`,
      FALSE AS `metaxy_forced`
    FROM `video__never_written` AS `t1`
  ) AS `t3`
    ON `t5`.`id` = `t3`.`id`
) AS `t6`
WHERE
  `t6`.`metaxy_status` <> 4;

SELECT
  `t0`.`metaxy_status`,
  COUNT(*) AS `records`
FROM `metaxy_kept_1` AS `t0`
GROUP BY
  1;
