SELECT
  *
FROM `metaxy__commits` AS `t0`
WHERE
  `t0`.`feature` IN ('teams', 'video');

SELECT
  *
FROM `metaxy__settled` AS `t0`
WHERE
  `t0`.`feature` = 'teams';

SELECT
  *
FROM (
  SELECT
    COALESCE(`t18`.`etag`, `t5`.`etag`) AS `etag`,
    `t18`.`metaxy_provenance__default`,
    NOT (
      `t18`.`metaxy_provenance__default` IS NOT DISTINCT FROM `t5`.`metaxy_provenance__default__stored`
    ) AS `metaxy_changed__default`,
    CASE
      WHEN `t18`.`metaxy_ready` IS NULL
      THEN 2
      WHEN NOT (
        `t18`.`metaxy_ready`
      )
      THEN 3
      WHEN `t5`.`metaxy_stored` IS NULL
      THEN 0
      WHEN NOT (
        `t18`.`metaxy_provenance__default` IS NOT DISTINCT FROM `t5`.`metaxy_provenance__default__stored`
      )
      OR `t5`.`metaxy_forced`
      THEN 1
      ELSE 4
    END AS `metaxy_status`
  FROM (
    SELECT
      `t16`.`etag`,
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
                            CONCAT('v1|default|1|video|audio|', COALESCE(`t16`.`metaxy_read__5__video__audio`, '?'))
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
      `t16`.`metaxy_ready__video` AS `metaxy_ready`
    FROM (
      SELECT
        `t15`.`etag`,
        CONCAT(
          CONCAT(
            CONCAT(
              CONCAT(CAST(`t15`.`metaxy_read__5__video__audio__high` AS STRING), ':'),
              CAST(`t15`.`metaxy_read__5__video__audio__low` AS STRING)
            ),
            ':'
          ),
          CAST(`t15`.`metaxy_members` AS STRING)
        ) AS `metaxy_read__5__video__audio`,
        TRUE AS `metaxy_present__video`,
        `t15`.`metaxy_ready__video`
      FROM (
        SELECT
          `t14`.`etag`,
          COUNT(*) AS `metaxy_members`,
          SUM(`t14`.`metaxy_read__5__video__audio` >> 32) AS `metaxy_read__5__video__audio__high`,
          SUM(`t14`.`metaxy_read__5__video__audio` & 4294967295) AS `metaxy_read__5__video__audio__low`,
          LOGICAL_AND(`t14`.`metaxy_ready__video`) AS `metaxy_ready__video`
        FROM (
          SELECT
            *
          FROM (
            SELECT
              `t12`.`etag`,
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
                                      CONCAT(COALESCE(REPLACE(REPLACE(`t12`.`id`, '\\', '\\\\'), '|', '\\|'), '\\N'), '|'),
                                      COALESCE(
                                        CAST(COALESCE(`t12`.`metaxy_data_version__audio`, `t12`.`metaxy_provenance__audio`) AS STRING),
                                        '?'
                                      )
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
              ) AS INT64) AS `metaxy_read__5__video__audio`,
              TRUE AS `metaxy_ready__video`
            FROM (
              SELECT
                `t11`.`id`,
                `t11`.`etag`,
                `t11`.`size`,
                `t11`.`metaxy_provenance__audio`,
                `t11`.`metaxy_data_version__audio`,
                `t11`.`metaxy_commit`,
                `t11`.`metaxy_deleted`
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
          ) AS `t13`
          WHERE
            NOT `t13`.`etag` IS NULL
        ) AS `t14`
        GROUP BY
          1
      ) AS `t15`
    ) AS `t16`
  ) AS `t18`
  FULL OUTER JOIN (
    SELECT
      `t0`.`etag`,
      CAST(NULL AS INT64) AS `metaxy_provenance__default__stored`,
      TRUE AS `metaxy_stored`,
      FALSE AS `metaxy_forced`
    FROM `teams__never_written` AS `t0`
  ) AS `t5`
    ON `t18`.`etag` = `t5`.`etag`
) AS `t19`
WHERE
  `t19`.`metaxy_status` <> 4;

SELECT
  `t0`.`etag`,
  @since AS `metaxy_commit`
FROM `metaxy_kept_1` AS `t0`;

SELECT
  `t0`.`etag`,
  `t0`.`metaxy_provenance__default`,
  `t0`.`metaxy_changed__default`
FROM `metaxy_kept_1` AS `t0`
WHERE
  `t0`.`metaxy_status` IN (0, 1);
