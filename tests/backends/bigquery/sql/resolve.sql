SELECT
  *
FROM `metaxy__commits` AS `t0`
WHERE
  `t0`.`feature` IN ('copy', 'video');

SELECT
  `t0`.`feature`,
  `t0`.`feature_version`,
  `t0`.`code_versions`,
  `t0`.`definition`
FROM `metaxy__definitions` AS `t0`;

SELECT
  *
FROM `metaxy__settled` AS `t0`
WHERE
  `t0`.`feature` = 'copy';

SELECT
  *
FROM (
  SELECT
    COALESCE(`t14`.`id`, `t5`.`id`) AS `id`,
    `t14`.`etag`,
    `t14`.`size`,
    `t14`.`metaxy_provenance__default`,
    NOT (
      `t14`.`metaxy_provenance__default` IS NOT DISTINCT FROM `t5`.`metaxy_provenance__default__stored`
    ) AS `metaxy_changed__default`,
    CASE
      WHEN `t14`.`metaxy_ready` IS NULL
      THEN 2
      WHEN NOT (
        `t14`.`metaxy_ready`
      )
      THEN 3
      WHEN `t5`.`metaxy_stored` IS NULL
      THEN 0
      WHEN NOT (
        `t14`.`metaxy_provenance__default` IS NOT DISTINCT FROM `t5`.`metaxy_provenance__default__stored`
      )
      OR `t5`.`metaxy_forced`
      THEN 1
      ELSE 4
    END AS `metaxy_status`
  FROM (
    SELECT
      `t12`.`id`,
      `t12`.`etag`,
      `t12`.`size`,
      CAST(REPLACE(
        REPLACE(
          REPLACE(
            REPLACE(
              REPLACE(
                REPLACE(
                  REPLACE(
                    REPLACE(
                      REGEXP_REPLACE(
                        TO_HEX(
                          MD5(
                            CONCAT(
                              'v1|default|1|video|audio|',
                              COALESCE(CAST(`t12`.`metaxy_read__5__video__audio` AS STRING), '?')
                            )
                          )
                        ),
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
      ) AS INT64) AS `metaxy_provenance__default`,
      `t12`.`metaxy_ready__video` AS `metaxy_ready`
    FROM (
      SELECT
        `t11`.`id`,
        `t11`.`etag`,
        `t11`.`size`,
        COALESCE(`t11`.`metaxy_data_version__audio`, `t11`.`metaxy_provenance__audio`) AS `metaxy_read__5__video__audio`,
        TRUE AS `metaxy_present__video`,
        TRUE AS `metaxy_ready__video`
      FROM (
        SELECT
          `t3`.`id`,
          `t3`.`etag`,
          `t3`.`size`,
          `t3`.`metaxy_provenance__audio`,
          `t3`.`metaxy_data_version__audio`,
          `t3`.`metaxy_commit`,
          `t3`.`metaxy_deleted`,
          `t10`.`id` AS `id__metaxy_newest`,
          `t10`.`metaxy_newest`
        FROM `video` AS `t3`
        LEFT OUTER JOIN (
          SELECT
            `t8`.`id`,
            MAX(`t8`.`metaxy_commit`) AS `metaxy_newest`
          FROM (
            SELECT
              `t3`.`id`,
              `t3`.`etag`,
              `t3`.`size`,
              `t3`.`metaxy_provenance__audio`,
              `t3`.`metaxy_data_version__audio`,
              `t3`.`metaxy_commit`,
              `t3`.`metaxy_deleted`
            FROM `video` AS `t3`
            WHERE
              EXISTS(
                SELECT
                  1
                FROM (
                  SELECT
                    `t2`.`metaxy_commit`
                  FROM `metaxy__commits` AS `t2`
                  WHERE
                    `t2`.`feature` = 'video' AND `t2`.`superseded` > 0
                ) AS `t7`
                WHERE
                  `t3`.`metaxy_commit` = `t7`.`metaxy_commit`
              )
          ) AS `t8`
          GROUP BY
            1
        ) AS `t10`
          ON `t3`.`id` = `t10`.`id`
      ) AS `t11`
      WHERE
        (
          (
            `t11`.`metaxy_newest` IS NULL
          )
          OR (
            `t11`.`metaxy_newest` = `t11`.`metaxy_commit`
          )
        )
        AND NOT (
          `t11`.`metaxy_deleted`
        )
    ) AS `t12`
  ) AS `t14`
  FULL OUTER JOIN (
    SELECT
      `t0`.`id`,
      CAST(NULL AS INT64) AS `metaxy_provenance__default__stored`,
      TRUE AS `metaxy_stored`,
      FALSE AS `metaxy_forced`
    FROM `copy__never_written` AS `t0`
  ) AS `t5`
    ON `t14`.`id` = `t5`.`id`
) AS `t15`
WHERE
  `t15`.`metaxy_status` <> 4;

SELECT
  `t0`.`metaxy_status`,
  COUNT(*) AS `records`
FROM `metaxy_kept_2` AS `t0`
GROUP BY
  1;

SELECT
  `t0`.`id`,
  @since AS `metaxy_commit`
FROM `metaxy_kept_2` AS `t0`;

SELECT
  `t1`.*
  EXCEPT (`metaxy_status`)
FROM (
  SELECT
    *
  FROM `metaxy_kept_2` AS `t0`
  WHERE
    `t0`.`metaxy_status` IN (0, 1)
) AS `t1`;
